#pragma once
// What a specification of importance stands for, once its files are read.

#include <filesystem>
#include <optional>
#include <vector>

#include "interp/table_file.h"
#include "outerloop/interp/importance_spec.h"
#include "outerloop/interp/mlp.h"
#include "outerloop/interp/permutation_importance.h"
#include "outerloop/interp/simple_models.h"

namespace outerloop::interp {

// What models and scorers made of it look at: it must outlive them in its place.
struct ImportanceProblem {
  std::filesystem::path file;        // of the table, as it was found
  std::filesystem::path parameters;  // of the mlp
  TargetTable table;
  std::vector<FeatureGroup> groups;
  std::vector<Metric> metrics;
  std::optional<Mlp> mlp;  // the model, or else
  SimpleModel fitted;
  std::vector<double> residuals;

  BlockModel model(MlpPrecision precision) const;
  PermutationProblem scored_by(BlockModel model) const;
};

// Reads the files and fits the model. Throws BadInput.
ImportanceProblem read_problem(const ImportanceSpec& spec);
Exchange exchange_of(const ImportanceSpec& spec, const TargetTable& table);

}  // namespace outerloop::interp
