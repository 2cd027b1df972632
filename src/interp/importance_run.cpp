#include "outerloop/interp/importance_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "interp/table_file.h"
#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"
#include "outerloop/config/read.h"
#include "outerloop/interp/simple_models.h"

namespace outerloop::interp {

namespace fs = std::filesystem;

fs::path ImportanceFolder::journal(const farm::Shard& shard) const {
  const std::string name = shard.count == 1
                               ? "importance.h5"
                               : fmt::format("importance-{}of{}.h5", shard.index, shard.count);
  return root / "journal" / name;
}

void ImportanceFolder::prepare() const {
  std::error_code error;
  fs::create_directories(root, error);
  if (error) {
    throw BadInput(fmt::format("run_dir {}: cannot be created: {}; choose another run_dir",
                               root.string(), error.message()));
  }
  const bool is_ours = fs::exists(journal().parent_path(), error);
  const fs::directory_iterator entry(root);
  if (!is_ours && entry != fs::directory_iterator()) {
    throw BadInput(
        fmt::format("run_dir {}: holds '{}' but no journal of importance; choose another",
                    root.string(), entry->path().filename().string()));
  }
  fs::create_directories(journal().parent_path(), error);
  if (!error) return;
  throw BadInput(fmt::format("run_dir {}: the folder journal cannot be created: {}", root.string(),
                             error.message()));
}

// All that a scorer looks at, in one place that does not move.
struct ImportanceJob::Problem {
  fs::path file;
  TargetTable table;
  std::vector<FeatureGroup> groups;
  std::vector<Metric> metrics;
  SimpleModel fitted;
  std::vector<double> residuals;
  size_t scored_rows = 0;
  std::unique_ptr<const PermutationScorer> scorer;

  explicit Problem(const ImportanceSpec& spec)
      : file(config::find_file(spec.table, spec.folder)),
        table(read_table(file, {spec.target, spec.features, spec.weights})),
        groups(feature_groups(table.features, spec.groups)) {
    for (const std::string& name : spec.metrics) metrics.push_back(metric_named(name));
    const auto kind = std::ranges::find(simple_models(), spec.model, &SimpleModelKind::name);
    fitted = kind->fit(table.view(), table.targets, table.weights, table.features);
    if (spec.donors == DonorRule::ridge_residual) {
      residuals = ridge_residuals(table.view(), groups, spec.ridge);
    }
    Exchange exchange = make_exchange(spec);
    scored_rows = exchange.is_exact ? table.targets.size() : exchange.rows.size();
    scorer =
        std::make_unique<PermutationScorer>(PermutationProblem{.model = gathering(fitted.model),
                                                               .x = table.view(),
                                                               .targets = table.targets,
                                                               .weights = table.weights,
                                                               .metrics = metrics,
                                                               .groups = groups,
                                                               .residuals = residuals},
                                            std::move(exchange));
  }

  Exchange make_exchange(const ImportanceSpec& spec) const {
    const size_t rows = table.targets.size();
    std::span<const double> classes;
    if (spec.donors == DonorRule::within_class) classes = table.targets;
    if (spec.mode == ImportanceMode::exact) return exact_exchange(rows, classes);
    const size_t samples = sampled_rows(spec.max_samples, rows);
    const auto repeats = static_cast<size_t>(spec.repeats);
    const auto seed = static_cast<uint32_t>(spec.seed);
    if (spec.rng == ImportanceRandom::sklearn) {
      return sklearn_exchange(sklearn_draws(seed, rows, samples, repeats));
    }
    return keyed_exchange({.seed = seed, .rows = rows, .samples = samples, .repeats = repeats},
                          classes);
  }
};

namespace {

// All that the decreases depend on.
std::string content_of(const ImportanceSpec& spec, const std::vector<FeatureGroup>& groups,
                       const TargetTable& table, const fs::path& file) {
  nlohmann::ordered_json json = {{"table", sha256_hex_of_file(file)},
                                 {"target", spec.target},
                                 {"features", table.features},
                                 {"weights", spec.weights},
                                 {"model", spec.model},
                                 {"mode", config::word(spec.mode)},
                                 {"rng", config::word(spec.rng)},
                                 {"donors", config::word(spec.donors)},
                                 {"ridge", spec.ridge},
                                 {"repeats", spec.repeats},
                                 {"max_samples", spec.max_samples},
                                 {"seed", spec.seed}};
  for (const FeatureGroup& group : groups) {
    json["groups"].push_back({{"name", group.name}, {"columns", group.columns}});
  }
  return json.dump();
}

}  // namespace

ImportanceJob::ImportanceJob(const ImportanceSpec& spec)
    : spec_(spec),
      problem_(std::make_unique<const Problem>(spec)),
      manifest_{"importance", content_of(spec, problem_->groups, problem_->table, problem_->file)} {
  const PermutationScorer& scorer = *problem_->scorer;
  for (size_t g = 0; g < scorer.groups(); ++g) {
    for (size_t k = 0; k < scorer.repeats(); ++k) {
      cells_.push_back({fmt::format("group={}/repeat={}", problem_->groups[g].name, k)});
    }
  }
}

ImportanceJob::~ImportanceJob() = default;

void ImportanceJob::run(size_t cell, int, std::span<double> values) {
  const size_t repeats = problem_->scorer->repeats();
  std::ranges::copy(problem_->scorer->decreases(cell / repeats, cell % repeats), values.begin());
}

ImportanceResult ImportanceJob::fold(const farm::Results& results) const {
  OL_ASSERT(results.complete(), "a fold of results that are not complete");
  std::vector<std::vector<double>> decreases;
  for (size_t cell = 0; cell < results.cells(); ++cell) {
    decreases.emplace_back(results.values(cell).begin(), results.values(cell).end());
  }
  const PermutationScorer& scorer = *problem_->scorer;
  return {.spec = spec_,
          .table = problem_->file,
          .rows = problem_->table.targets.size(),
          .scored_rows = problem_->scored_rows,
          .features = problem_->table.features,
          .classes = problem_->table.classes,
          .coefficients = problem_->fitted.coefficients,
          .offsets = problem_->fitted.offsets,
          .groups = problem_->groups,
          .metrics = summarise(problem_->metrics, scorer.baselines(), scorer.repeats(), decreases)};
}

}  // namespace outerloop::interp
