#pragma once
// Permutation importance of a model fitted to a table, from a user's specification to results.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "outerloop/interp/importance_spec.h"
#include "outerloop/interp/permutation_importance.h"

namespace outerloop::interp {

struct ImportanceResult {
  ImportanceSpec spec;
  std::filesystem::path table;  // as it was found
  size_t rows = 0;
  size_t scored_rows = 0;
  std::vector<std::string> features;
  std::vector<std::string> classes;  // names, of a target of words
  std::vector<double> coefficients;  // of SimpleModel
  std::vector<double> offsets;
  std::vector<FeatureGroup> groups;
  std::vector<Importance> metrics;

  bool is_exact() const { return spec.mode == ImportanceMode::exact; }
  std::string group_columns(const FeatureGroup& group) const;  // "a, b"
};

// Makes the folder of the results where there is none. Throws BadInput when it cannot be made or
// holds something else.
void prepare_importance_folder(const std::filesystem::path& folder);

// Equal specifications and tables give equal results on any number of threads. Throws BadInput.
ImportanceResult run_importance(const ImportanceSpec& spec);

// What was computed, in plain sentences.
std::string describe_protocol(const ImportanceResult& result);

// A table for people, a machine's JSON with every repeat, and CSV with a line per metric and group.
std::string to_text(const ImportanceResult& result);
std::string to_json(const ImportanceResult& result);
std::string to_csv(const ImportanceResult& result);

}  // namespace outerloop::interp
