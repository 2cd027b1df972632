// What a run relies on, as text.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "outerloop/base/counted.h"
#include "outerloop/base/csv_field.h"
#include "outerloop/interp/run_importance.h"
#include "outerloop/io/json_text.h"

namespace outerloop::interp {
namespace {

using Json = nlohmann::ordered_json;

std::string title_of(const RunImportance& result, const EstimandFinding& finding) {
  if (finding.step == result.steps || finding.name == "prior") return finding.name;
  return fmt::format("{} after {}", finding.name, counted(finding.step, "step"));
}

Json band_of(const GroupFinding& group) {
  if (!group.has_band()) return nullptr;
  const double mean = group.tasks.interval.mean;
  return {mean - group.band_half, mean + group.band_half};
}

Json json_of(const RunImportance& result, const GroupFinding& group) {
  const TaskSummary& t = group.tasks;
  return {{"group", group.group},
          {"tasks", group.task_count},
          {"mean", t.interval.mean},
          {"ci95", {t.interval.lower, t.interval.upper}},
          {"band95", band_of(group)},
          {"sd_tasks", t.interval.deviation},
          {"quantiles", t.quantiles},
          {"share_above_zero", t.share_above_zero},
          {"worst_tasks", names_of_worst(result, group)},
          {"p", group.p_value},
          {"p_joint", group.p_joint},
          {"repeat_error", group.repeat_error}};
}

Json json_of(const RunImportance& result, const RunBudgetSpent& budget) {
  const BudgetRule& rule = *result.spec.budget;
  Json rounds = Json::array();
  for (const ImportanceRound& round : budget.rounds) {
    Json names = Json::array();
    for (const size_t g : round.groups) names.push_back(result.groups[g]);
    rounds.push_back({{"tasks", round.tasks}, {"repeats", round.repeats}, {"groups", names}});
  }
  return {{"half_width", rule.half_width},
          {"level", rule.level},
          {"metric", result.metrics.front().metric},
          {"tasks", budget.spent.tasks},
          {"evaluations", budget.spent.evaluations},
          {"flops", budget.spent.cost},
          {"rounds", rounds},
          {"wider", budget.wide}};
}

std::string_view kind_of_pixels(const RunImportanceSpec& spec) {
  return spec.superpixels ? "superpixels" : spec.strokes ? "line pieces" : "squares";
}

// From the lowest to the highest.
Json json_of_edges(const std::vector<PlaceBin>& bins) {
  Json edges = Json::array();
  edges.push_back(bins.front().low);
  for (const PlaceBin& bin : bins) edges.push_back(bin.high);
  return edges;
}

// Row by row.
Json json_of_regions(const RunImportance& result, const std::vector<int32_t>& regions) {
  Json rows = Json::array();
  const auto width = static_cast<size_t>(result.image[1]);
  for (size_t first = 0; first < regions.size(); first += width) {
    rows.push_back(fmt::format("{}", fmt::join(std::span(regions).subspan(first, width), " ")));
  }
  return rows;
}

}  // namespace

std::vector<std::string> names_of_worst(const RunImportance& result, const GroupFinding& group) {
  std::vector<std::string> names;
  for (const size_t task : group.tasks.worst) names.push_back(result.task_names[task]);
  return names;
}

std::string to_text(const RunImportance& result) {
  size_t width = 8;
  for (const std::string& group : result.groups) width = std::max(width, group.size());
  std::string text = describe_protocol(result) + "\n";
  for (const MetricFinding& metric : result.metrics) {
    text += fmt::format("{} {:.4g} ± {:.2g} before, {:.4g} ± {:.2g} after adaptation\n",
                        metric.metric, metric.baseline.front().mean, metric.baseline.front().half,
                        metric.baseline.back().mean, metric.baseline.back().half);
    for (const EstimandFinding& finding : metric.estimands) {
      text += fmt::format("  {}\n", title_of(result, finding));
      for (const GroupFinding& group : finding.groups) {
        const TaskSummary& tasks = group.tasks;
        const std::string band =
            group.has_band() ? fmt::format("(band ± {:.4f})", group.band_half) : "(no band)";
        text += fmt::format(
            "    {:{}} {:9.4f} ± {:.4f} {}, {:3.0f} % of tasks above 0, joint p {:.3f}"
            ", 90 % of tasks {:.4f} … {:.4f}",
            group.group, width, tasks.interval.mean, tasks.interval.half, band,
            100 * tasks.share_above_zero, group.p_joint, tasks.quantiles.front(),
            tasks.quantiles.back());
        const bool has_worst = tasks.share_above_zero > 0;
        text += has_worst ? fmt::format(", most in {}\n", result.task_names[tasks.worst.front()])
                          : "\n";
      }
    }
  }
  return text;
}

std::string to_json(const RunImportance& result) {
  Json json{{"format", "outerloop importance of a run"},
            {"version", 1},
            {"checkpoint", result.checkpoint_file.filename().string()},
            {"content_hash", result.content_hash},
            {"algorithm", result.algorithm},
            {"family", result.family},
            {"split", name_of(result.spec.split)},
            {"split_scheme", result.split_scheme},
            {"seed", *result.spec.seed},
            {"ways", result.ways},
            {"support_rows", result.support_rows},
            {"query_rows", result.query_rows},
            {"steps", result.steps},
            {"tasks", result.tasks},
            {"left_out", result.left_out},
            {"exact", result.spec.exact},
            {"donors", result.spec.within_classes ? "within_class" : "any"},
            {"task_names", result.task_names},
            {"quantiles_at", TaskSummary::kQuantiles}};
  for (const NamedGroup& group : result.spec.groups) {
    json["groups"].push_back({{"name", group.name}, {"features", group.columns}});
  }
  if (!result.bins.empty()) json["edges"] = json_of_edges(result.bins);
  if (result.budget) {
    json["budget"] = json_of(result, *result.budget);
  } else {
    json["repeats"] = result.spec.repeats;
  }
  for (size_t m = 0; m < result.metrics.size(); ++m) {
    const MetricFinding& metric = result.metrics[m];
    Json& entry = json["metrics"].emplace_back(Json{{"metric", metric.metric}});
    for (const MeanInterval& score : metric.baseline) {
      entry["score"].push_back({{"mean", score.mean}, {"ci95", {score.lower, score.upper}}});
    }
    for (const EstimandFinding& finding : metric.estimands) {
      Json& estimand =
          entry["estimands"].emplace_back(Json{{"estimand", finding.name}, {"step", finding.step}});
      for (const GroupFinding& group : finding.groups) {
        estimand["groups"].push_back(json_of(result, group));
      }
    }
    entry["query_by_task"] = result.matrix[m];
  }
  if (result.image[0] > 0) {
    json["pixels"] = {{"groups", kind_of_pixels(result.spec)}, {"image", result.image}};
    if (!result.regions.empty()) json["pixels"]["of"] = json_of_regions(result, result.regions);
  }
  for (const ClassFinding& one : result.classes) {
    Json& entry = json["classes"].emplace_back(Json{{"class", one.name}, {"tasks", one.tasks}});
    for (const MeanInterval& group : one.groups) {
      entry["means"].push_back(group.mean);
      if (one.tasks > 1) entry["ci95"].push_back({group.lower, group.upper});
    }
    if (result.spec.strokes) entry["example"] = json_of_regions(result, one.regions);
  }
  return io::json_text(json, 1) + "\n";
}

std::string to_csv(const RunImportance& result) {
  std::string text =
      "metric,estimand,step,group,class,mean,ci_low,ci_high,band_half,sd_tasks,share_above_zero,p,"
      "p_joint,tasks";
  for (const double at : TaskSummary::kQuantiles) text += fmt::format(",q{:.0f}", 100 * at);
  text += ",most_in\n";
  for (const MetricFinding& metric : result.metrics) {
    for (const EstimandFinding& finding : metric.estimands) {
      for (const GroupFinding& g : finding.groups) {
        const MeanInterval& i = g.tasks.interval;
        text +=
            fmt::format("{},{},{},{},,{},{},{},{},{},{},{},{},{},{},{}\n", metric.metric,
                        finding.name, finding.step, csv_field(g.group), i.mean, i.lower, i.upper,
                        g.has_band() ? fmt::format("{}", g.band_half) : "", i.deviation,
                        g.tasks.share_above_zero, g.p_value, g.p_joint, g.task_count,
                        fmt::join(g.tasks.quantiles, ","),
                        csv_field(fmt::format("{}", fmt::join(names_of_worst(result, g), "; "))));
      }
    }
  }
  // Of the rows of a class alone.
  for (const ClassFinding& one : result.classes) {
    for (size_t g = 0; g < one.groups.size(); ++g) {
      const MeanInterval& i = one.groups[g];
      const std::string interval =
          one.tasks > 1 ? fmt::format("{},{},,{}", i.lower, i.upper, i.deviation) : ",,,";
      text += fmt::format("{},query,{},{},{},{},{},,,,{}{}\n", result.metrics.front().metric,
                          result.steps, csv_field(result.groups[g]), csv_field(one.name), i.mean,
                          interval, one.tasks,
                          std::string(std::size(TaskSummary::kQuantiles) + 1, ','));
    }
  }
  return text;
}

}  // namespace outerloop::interp
