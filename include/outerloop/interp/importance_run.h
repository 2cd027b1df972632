#pragma once
// Permutation importance of a model fitted to a table, from a user's specification to results.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "outerloop/farm/job.h"
#include "outerloop/farm/results.h"
#include "outerloop/farm/shard.h"
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
  std::string network;  // "50-64-64-1", of an mlp
  std::vector<FeatureGroup> groups;
  std::vector<Importance> metrics;

  bool is_exact() const { return spec.mode == ImportanceMode::exact; }
  std::string group_columns(const FeatureGroup& group) const;  // "a, b"
};

// A fixed number of repeats, also in shards; or rounds of a budget.
enum class Repeats { fixed, in_rounds };

// A folder of results: journal/importance.h5 and those of shards or of a budget's rounds,
// importance.json and .csv, report.html.
struct ImportanceFolder {
  std::filesystem::path root;
  std::string chosen_by = "run_dir";  // for messages

  std::filesystem::path journal(const farm::Shard& shard = {}) const;
  std::filesystem::path journal_of_round(size_t round) const;
  std::string way_out() const;  // "choose another folder with --out FOLDER"
  std::filesystem::path json() const { return root / "importance.json"; }
  std::filesystem::path csv() const { return root / "importance.csv"; }
  std::filesystem::path report() const { return root / "report.html"; }

  // Makes the folder where there is none. Throws BadInput when it cannot be made or holds something
  // else, be it an importance with repeats of the other kind: its results would be replaced.
  void prepare(Repeats repeats) const;
};

// A cell is one repeat of one group ("group=petal/repeat=3"), its values are the decreases of each
// metric.
class ImportanceJob final : public farm::Job {
 public:
  // Reads the table and fits the model. Throws BadInput.
  explicit ImportanceJob(const ImportanceSpec& spec);
  ~ImportanceJob() override;

  const farm::Manifest& manifest() const override { return manifest_; }
  const std::vector<farm::Cell>& cells() const override { return cells_; }
  const std::vector<std::string>& columns() const override { return spec_.metrics; }
  void run(size_t cell, int thread, std::span<double> values) override;

  // Of complete results.
  ImportanceResult fold(const farm::Results& results) const;

 private:
  struct Problem;
  ImportanceSpec spec_;
  std::unique_ptr<const Problem> problem_;
  farm::Manifest manifest_;
  std::vector<farm::Cell> cells_;
};

// What was computed, in plain sentences.
std::string describe_protocol(const ImportanceResult& result);

// A table for people, a machine's JSON with every repeat, and CSV with a line per metric and group.
std::string to_text(const ImportanceResult& result);
std::string to_json(const ImportanceResult& result);
std::string to_csv(const ImportanceResult& result);

}  // namespace outerloop::interp
