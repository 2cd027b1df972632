// Results of permutation importance as text.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "outerloop/base/csv_field.h"
#include "outerloop/interp/importance_run.h"
#include "outerloop/io/json_text.h"

namespace outerloop::interp {

std::string ImportanceResult::group_columns(const FeatureGroup& group) const {
  std::vector<std::string_view> names;
  for (const uint32_t column : group.columns) names.push_back(features[column]);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string describe_protocol(const ImportanceResult& result) {
  const ImportanceSpec& spec = result.spec;
  const std::string scored = result.scored_rows == result.rows
                                 ? fmt::format("all {}", result.rows)
                                 : fmt::format("{} of {}", result.scored_rows, result.rows);
  std::string text = fmt::format(
      "Importance is how much a score falls when the values of a group of features change rows, "
      "{} groups of {} features in all. The score of a loss is the loss negated, so that greater "
      "is better. ",
      result.groups.size(), result.features.size());
  text += result.is_exact()
              ? "Every row meets every donor once, itself included, so the numbers have no "
                "random error. "
              : fmt::format(
                    "Values were permuted {} times over {} rows with seed {}{}; "
                    "± is the standard deviation over these permutations, not an interval "
                    "for new data. ",
                    spec.repeats, scored, spec.seed,
                    spec.rng == ImportanceRandom::sklearn
                        ? ", scikit-learn's numbers element for element"
                        : "");
  if (spec.donors == DonorRule::within_class) text += "Donors are of the row's own class. ";
  if (spec.donors == DonorRule::ridge_residual) {
    text += fmt::format(
        "Rows exchange what a ridge regression (strength {}) on the other features leaves. ",
        spec.ridge);
  }
  text += spec.is_mlp()
              ? fmt::format("The model is the {} network {} of {}, in {}.",
                            config::word(spec.activation), result.network,
                            std::filesystem::path(spec.parameters).filename().string(),
                            config::word(spec.precision))
              : fmt::format("The {} model was fitted to all {} rows.", spec.model, result.rows);
  return text;
}

std::string to_text(const ImportanceResult& result) {
  size_t width = 8;
  for (const FeatureGroup& group : result.groups) width = std::max(width, group.name.size());
  std::string text;
  for (const Importance& importance : result.metrics) {
    text += fmt::format("score ({}) {:.6g}\n", importance.metric, importance.baseline);
    for (size_t g = 0; g < result.groups.size(); ++g) {
      text += fmt::format("  {:{}}  {:12.6f}", result.groups[g].name, width, importance.mean[g]);
      text += result.is_exact() ? "\n" : fmt::format(" ± {:.6f}\n", importance.deviation[g]);
    }
  }
  return text;
}

std::string to_json(const ImportanceResult& result) {
  using nlohmann::ordered_json;
  const ImportanceSpec& spec = result.spec;
  ordered_json json = {
      {"format", "outerloop importance"},
      {"version", 1},
      {"table", result.table.filename().string()},
      {"target", spec.target},
      {"rows", result.rows},
      {"scored_rows", result.scored_rows},
      {"features", result.features},
      {"classes", result.classes},
      {"model",
       {{"kind", spec.model}, {"coefficients", result.coefficients}, {"offsets", result.offsets}}},
      {"mode", config::word(spec.mode)},
      {"rng", config::word(spec.rng)},
      {"donors", config::word(spec.donors)},
      {"seed", spec.seed},
      {"protocol", describe_protocol(result)}};
  if (spec.is_mlp()) {
    json["model"] = {{"kind", spec.model},
                     {"network", result.network},
                     {"activation", config::word(spec.activation)},
                     {"precision", config::word(spec.precision)}};
  }
  if (spec.donors == DonorRule::ridge_residual) json["ridge"] = spec.ridge;
  for (const Importance& importance : result.metrics) {
    ordered_json& metric =
        json["metrics"].emplace_back(ordered_json{{"metric", importance.metric},
                                                  {"baseline", importance.baseline},
                                                  {"repeats", importance.repeats}});
    const auto at = [&](size_t place) {
      return importance.decreases.begin() + static_cast<std::ptrdiff_t>(place);
    };
    for (size_t g = 0; g < result.groups.size(); ++g) {
      const size_t first = g * importance.repeats;
      const std::vector<double> values(at(first), at(first + importance.repeats));
      metric["groups"].push_back({{"name", result.groups[g].name},
                                  {"columns", result.groups[g].columns},
                                  {"mean", importance.mean[g]},
                                  {"deviation", importance.deviation[g]},
                                  {"values", values}});
    }
  }
  return io::json_text(json, 1) + "\n";
}

std::string to_csv(const ImportanceResult& result) {
  std::string text = "metric,baseline,group,features,mean,deviation,repeats\n";
  for (const Importance& importance : result.metrics) {
    for (size_t g = 0; g < result.groups.size(); ++g) {
      text += fmt::format("{},{},{},{},{},{},{}\n", importance.metric, importance.baseline,
                          csv_field(result.groups[g].name),
                          csv_field(result.group_columns(result.groups[g])), importance.mean[g],
                          importance.deviation[g], importance.repeats);
    }
  }
  return text;
}

}  // namespace outerloop::interp
