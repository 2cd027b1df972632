#include "interp/importance_problem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "interp/simple_fit.h"
#include "outerloop/base/error.h"
#include "outerloop/config/read.h"

namespace outerloop::interp {

namespace {

const SimpleModelKind& kind_named(std::string_view name) {
  return *std::ranges::find(simple_models(), name, &SimpleModelKind::name);
}

// A network of several outputs says probabilities of classes, as the logistic model does.
const SimpleModelKind& answers_like(const Mlp& mlp) {
  return kind_named(mlp.outputs() > 1 ? "logistic" : "linear");
}

void check_mlp(const ImportanceSpec& spec, const ImportanceProblem& problem) {
  const Mlp& mlp = *problem.mlp;
  const std::string where = fmt::format("{} ({})", problem.parameters.string(), mlp.shape());
  const SimpleModelKind& alike = answers_like(mlp);
  if (mlp.inputs() != problem.table.features.size()) {
    throw BadInput(fmt::format("{}: the network takes {} features, {} are given", where,
                               mlp.inputs(), problem.table.features.size()));
  }
  const auto known = alike.metrics();
  for (const std::string& metric : spec.metrics) {
    if (std::ranges::find(known, metric) != known.end()) continue;
    throw BadInput(fmt::format("{}: metrics: a network of {} output(s) has {}, not '{}'", where,
                               mlp.outputs(), fmt::join(known, ", "), metric));
  }
  if (spec.donors == DonorRule::within_class && !alike.classifies()) {
    throw BadInput(where + ": donors: within_class needs classes, the network has one output");
  }
  if (!alike.classifies()) return;
  const size_t classes = count_classes(problem.table.targets);
  if (classes > mlp.outputs()) {
    throw BadInput(fmt::format("{}: the network says {} classes, the target has {}", where,
                               mlp.outputs(), classes));
  }
}

void read_model(const ImportanceSpec& spec, ImportanceProblem& problem) {
  const TargetTable& table = problem.table;
  if (!spec.is_mlp()) {
    problem.fitted =
        kind_named(spec.model).fit(table.view(), table.targets, table.weights, table.features);
    return;
  }
  problem.parameters = config::find_file(spec.parameters, spec.folder);
  problem.mlp = read_mlp(problem.parameters, spec.activation);
  check_mlp(spec, problem);
}

}  // namespace

BlockModel ImportanceProblem::model(MlpPrecision precision) const {
  return mlp ? mlp_on_table(*mlp, table.view(), precision) : gathering(fitted.model);
}

PermutationProblem ImportanceProblem::scored_by(BlockModel model) const {
  return {.model = std::move(model),
          .x = table.view(),
          .targets = table.targets,
          .weights = table.weights,
          .metrics = metrics,
          .groups = groups,
          .residuals = residuals};
}

ImportanceProblem read_problem(const ImportanceSpec& spec) {
  ImportanceProblem problem{.file = config::find_file(spec.table, spec.folder)};
  problem.table = read_table(problem.file, {spec.target, spec.features, spec.weights});
  problem.groups = feature_groups(problem.table.features, spec.groups);
  read_model(spec, problem);
  for (const std::string& name : spec.metrics) problem.metrics.push_back(metric_named(name));
  if (problem.metrics.empty()) {
    problem.metrics.push_back(metric_named(answers_like(*problem.mlp).metrics().front()));
  }
  if (spec.donors == DonorRule::ridge_residual) {
    problem.residuals = ridge_residuals(problem.table.view(), problem.groups, spec.ridge);
  }
  return problem;
}

Exchange exchange_of(const ImportanceSpec& spec, const TargetTable& table) {
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

}  // namespace outerloop::interp
