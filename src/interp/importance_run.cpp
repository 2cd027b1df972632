#include "outerloop/interp/importance_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "interp/table_file.h"
#include "outerloop/base/error.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/config/read.h"
#include "outerloop/interp/simple_models.h"

namespace outerloop::interp {

namespace {

Exchange make_exchange(const ImportanceSpec& spec, const TargetTable& table) {
  const size_t rows = table.targets.size();
  const bool within = spec.donors == DonorRule::within_class;
  const std::span<const double> classes =
      within ? std::span<const double>(table.targets) : std::span<const double>();
  if (spec.mode == ImportanceMode::exact) return exact_exchange(rows, classes);
  const size_t samples = sampled_rows(spec.max_samples, rows);
  const auto repeats = static_cast<size_t>(spec.repeats);
  if (spec.rng == ImportanceRandom::sklearn) {
    return sklearn_exchange(
        sklearn_draws(static_cast<uint32_t>(spec.seed), rows, samples, repeats));
  }
  return keyed_exchange({.seed = static_cast<uint64_t>(spec.seed),
                         .rows = rows,
                         .samples = samples,
                         .repeats = repeats},
                        classes);
}

// Every (group, repeat), by whichever thread comes first; each has its own place.
std::vector<std::vector<double>> score_all(const PermutationScorer& scorer, int threads) {
  std::vector<std::vector<double>> cells(scorer.groups() * scorer.repeats());
  std::atomic<size_t> next = 0;
  ThreadPool(threads).run([&](int) {
    for (size_t cell = next++; cell < cells.size(); cell = next++) {
      cells[cell] = scorer.decreases(cell / scorer.repeats(), cell % scorer.repeats());
    }
  });
  return cells;
}

}  // namespace

void prepare_importance_folder(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw BadInput(fmt::format("run_dir {}: cannot be created: {}; choose another run_dir",
                               folder.string(), error.message()));
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (fs::exists(folder / "importance.json", error)) return;
    throw BadInput(fmt::format("run_dir {}: holds '{}' but no importance.json; choose another",
                               folder.string(), entry.path().filename().string()));
  }
}

ImportanceResult run_importance(const ImportanceSpec& spec) {
  ImportanceResult result{.spec = spec, .table = config::find_file(spec.table, spec.folder)};
  const TargetTable table = read_table(
      result.table, {.target = spec.target, .features = spec.features, .weights = spec.weights});
  const TableView x = table.view();
  result.rows = x.rows();
  result.features = table.features;
  result.classes = table.classes;
  result.groups = feature_groups(table.features, spec.groups);
  const auto kind = std::ranges::find(simple_models(), spec.model, &SimpleModelKind::name);
  const SimpleModel fitted = kind->fit(x, table.targets, table.weights, table.features);
  result.coefficients = fitted.coefficients;
  result.offsets = fitted.offsets;
  std::vector<Metric> metrics;
  for (const std::string& name : spec.metrics) metrics.push_back(metric_named(name));
  std::vector<double> residuals;
  if (spec.donors == DonorRule::ridge_residual) {
    residuals = ridge_residuals(x, result.groups, spec.ridge);
  }
  Exchange exchange = make_exchange(spec, table);
  result.scored_rows = exchange.is_exact ? x.rows() : exchange.rows.size();
  const PermutationScorer scorer({.model = gathering(fitted.model),
                                  .x = x,
                                  .targets = table.targets,
                                  .weights = table.weights,
                                  .metrics = metrics,
                                  .groups = result.groups,
                                  .residuals = residuals},
                                 std::move(exchange));
  const auto cells = score_all(scorer, static_cast<int>(spec.threads));
  result.metrics = summarise(metrics, scorer.baselines(), scorer.repeats(), cells);
  return result;
}

}  // namespace outerloop::interp
