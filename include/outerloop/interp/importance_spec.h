#pragma once
// What a user asks of permutation importance: a YAML file and `key=value` words over it.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "outerloop/config/choice.h"
#include "outerloop/interp/feature_groups.h"
#include "outerloop/interp/mlp.h"

namespace outerloop::interp {

OL_CONFIG_CHOICE(ImportanceRandom, keyed, sklearn)
OL_CONFIG_CHOICE(ImportanceMode, sampled, exact)
OL_CONFIG_CHOICE(DonorRule, any, within_class, ridge_residual)

// Keys and defaults are those of help_on_importance().
struct ImportanceSpec {
  std::string name;              // of the file, without its ending
  std::filesystem::path folder;  // that files are looked up from first
  std::string table;
  std::string target;
  std::vector<std::string> features;  // empty: all other columns
  std::string weights;
  std::string model = "linear";
  std::string parameters;  // file of an mlp
  MlpActivation activation = MlpActivation::relu;
  MlpPrecision precision = MlpPrecision::float32;
  std::vector<std::string> metrics;  // empty: the model's first
  std::vector<NamedGroup> groups;
  ImportanceMode mode = ImportanceMode::sampled;
  ImportanceRandom rng = ImportanceRandom::keyed;
  DonorRule donors = DonorRule::any;
  double ridge = 1;
  int64_t repeats = 10;
  double max_samples = 1;
  int64_t seed = 0;
  int64_t threads = 0;  // 0: one per allowed core
  std::string run_dir;

  bool is_mlp() const { return model == "mlp"; }
};

// Throws config::ConfigErrors with all that is wrong with the file and the words by themselves, one
// line each with its place. An empty run_dir becomes runs/<name>-seed<seed>.
ImportanceSpec read_importance_spec(const std::filesystem::path& file,
                                    std::span<const std::string> words = {});

// One line per key.
std::string help_on_importance();

}  // namespace outerloop::interp
