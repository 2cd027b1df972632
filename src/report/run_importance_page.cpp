// The report of what a run relies on.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/counted.h"
#include "outerloop/data/image_file.h"
#include "outerloop/interp/findings.h"
#include "outerloop/report/importance_report.h"
#include "report/bar_chart.h"
#include "report/heat_map.h"
#include "report/html.h"
#include "report/plot.h"
#include "report/region_map.h"

namespace outerloop::report {
namespace {

namespace fs = std::filesystem;
using interp::ClassFinding;
using interp::EstimandFinding;
using interp::finding_kind;
using interp::GroupFinding;
using interp::MetricFinding;
using interp::RunImportance;

constexpr const char* kNoBand = "Too few tasks for a joint band.";
constexpr size_t kMostBars = 30;
constexpr size_t kMostTasks = 60;  // rows of the matrix
constexpr size_t kMostCurves = 4;  // as many as there are colours

const EstimandFinding* find(const MetricFinding& metric, std::string_view name, int64_t step) {
  for (const EstimandFinding& finding : metric.estimands) {
    if (finding.name == name && finding.step == step) return &finding;
  }
  return nullptr;
}

std::vector<size_t> ranking(const EstimandFinding& finding) {
  std::vector<size_t> order(finding.groups.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(),
                           [&](size_t g) { return finding.groups[g].tasks.interval.mean; });
  order.resize(std::min(order.size(), kMostBars));
  return order;
}

// Where a picture or table has not all of them.
std::string note_on_groups(size_t groups) {
  if (groups <= kMostBars) return {};
  return fmt::format(" The {} largest of {} groups; importance.json has all.", kMostBars, groups);
}

// Grey as ink on paper: 0 is white.
std::string url_of(const RunImportance& result, const std::vector<float>& pixels) {
  data::Image image{.height = static_cast<int>(result.image[0]),
                    .width = static_cast<int>(result.image[1]),
                    .channels = static_cast<int>(result.image[2])};
  const bool grey = image.channels == 1;
  for (const float value : pixels) {
    const float shown = std::clamp(grey ? 1 - value : value, 0.0F, 1.0F);
    image.pixels.push_back(static_cast<uint8_t>(std::lround(255 * shown)));
  }
  return "data:image/png;base64," + base64(data::encode_png(image));
}

// Regions of an image, without values.
RegionMap map_of(const RunImportance& result, const std::vector<int32_t>& regions,
                 const std::vector<float>& pixels) {
  return {.height = result.image[0],
          .width = result.image[1],
          .regions = regions,
          .names = result.groups,
          .background = pixels.empty() ? std::string() : url_of(result, pixels)};
}

std::string map_card(const RunImportance& result, const EstimandFinding& finding,
                     const std::string& metric) {
  RegionMap map = map_of(result, result.regions, result.mean_image);
  map.about = fmt::format("Importance of places of the image, {}", finding.name);
  map.unit = metric;
  for (const GroupFinding& group : finding.groups) {
    map.values.push_back(group.tasks.interval.mean);
    map.halves.push_back(group.has_band() ? group.band_half : 0);
  }
  return card(finding_kind(finding.name).heading, region_map(map),
              escape(finding_kind(finding.name).question));
}

// One map for each class, over one of its images, all on one scale.
std::string class_maps(const RunImportance& result) {
  if (result.classes.empty()) return {};
  double most = 0;
  for (const ClassFinding& one : result.classes) {
    for (const MeanInterval& group : one.groups) most = std::max(most, std::abs(group.mean));
  }
  std::string cards;
  for (const ClassFinding& one : result.classes) {
    RegionMap map = map_of(result, one.regions, one.image);
    map.about = "Importance of places of the image in the class " + one.name;
    map.most = most;
    int64_t clear = 0;  // intervals without 0
    for (const MeanInterval& group : one.groups) {
      map.values.push_back(group.mean);
      map.halves.push_back(one.tasks > 1 ? group.half : 0);
      clear += std::abs(group.mean) > group.half ? 1 : 0;
    }
    map.unit = result.metrics.front().metric;
    const std::string note =
        one.tasks > 1 ? fmt::format("{}; {} of {} places with a 95 % interval that leaves 0 out",
                                    counted(one.tasks, "task"), clear, one.groups.size())
                      : "one task: no interval";
    cards += card(one.name, region_map(map), note);
  }
  return section(
      "Class by class", cards,
      "What the adapted model reads in the queries of a class, over one of them: blue is "
      "needed, orange harms. The classes that are in most tasks, on one scale.");
}

std::string bars_card(const EstimandFinding& finding, const std::string& metric) {
  std::vector<Bar> bars;
  for (const size_t g : ranking(finding)) {
    const GroupFinding& group = finding.groups[g];
    const double mean = group.tasks.interval.mean;
    bars.push_back({group.group, mean, mean - group.band_half, mean + group.band_half});
  }
  return card(finding_kind(finding.name).heading,
              bar_chart(fmt::format("Importance by {}, {}", metric, finding.name),
                        "fall of the score (" + metric + ")", bars),
              escape(finding_kind(finding.name).question) + note_on_groups(finding.groups.size()));
}

std::string places_card(const RunImportance& result, const EstimandFinding& finding,
                        const std::string& metric) {
  Plot plot{.about = "Importance of the support labels by place",
            .x = {.label = "place of the support points"},
            .y = {.label = "fall of the score (" + metric + ")"}};
  Series series{.dots = true, .band = true};
  for (size_t g = 0; g < finding.groups.size(); ++g) {
    const double mean = finding.groups[g].tasks.interval.mean;
    const double half = finding.groups[g].has_band() ? finding.groups[g].band_half : 0;
    const double place =
        (static_cast<double>(result.bins[g].low) + static_cast<double>(result.bins[g].high)) / 2;
    series.points.push_back({place, mean, mean - half, mean + half});
  }
  plot.series.push_back(std::move(series));
  return card(finding_kind(finding.name).heading, to_svg(plot),
              fmt::format("{} {}", escape(finding_kind(finding.name).question),
                          finding.has_band() ? "Band: all places together, 95 %." : kNoBand));
}

std::string about_whiskers(const MetricFinding& metric) {
  const auto bands = std::ranges::count_if(metric.estimands, &EstimandFinding::has_band);
  if (bands == 0) return kNoBand;
  return std::string("Whiskers: a band that holds for all groups of a picture together, 95 %.") +
         (bands == std::ssize(metric.estimands) ? "" : " Without them: too few tasks for a band.");
}

std::string findings(const RunImportance& result, const MetricFinding& metric) {
  const bool image = !result.regions.empty();
  std::string cards, bars;
  for (const interp::FindingKind& one : interp::finding_kinds()) {
    const int64_t step = one.name == "prior" ? 0 : result.steps;
    const EstimandFinding* finding = find(metric, one.name, step);
    if (finding == nullptr) continue;
    if (!result.bins.empty()) {
      cards += places_card(result, *finding, metric.metric);
      continue;
    }
    bars += bars_card(*finding, metric.metric);
    if (image) cards += map_card(result, *finding, metric.metric);
  }
  if (cards.empty()) cards.swap(bars);
  const auto& first = metric.baseline.front();
  const auto& last = metric.baseline.back();
  std::string whole =
      section(fmt::format("By {}", metric.metric), cards,
              fmt::format("Score (greater is better): {:.4g} ± {:.2g} before and {:.4g} ± {:.2g} "
                          "after adaptation. {}",
                          first.mean, first.half, last.mean, last.half,
                          image ? "Blue: the learner needs the place. Under it lies the mean query."
                                : about_whiskers(metric)));
  if (!bars.empty()) {
    whole += section(fmt::format("Places by {}", metric.metric), bars, about_whiskers(metric));
  }
  return whole;
}

// The groups that matter most at the end, after each inner step.
std::string curve_card(const RunImportance& result, const MetricFinding& metric) {
  const EstimandFinding* last = find(metric, "query", result.steps);
  if (last == nullptr || find(metric, "query", 1) == nullptr || result.steps < 2) return {};
  Plot plot{.about = "Importance of the leading groups after each inner step",
            .x = {.label = "inner steps", .whole_numbers = true},
            .y = {.label = "fall of the score (" + metric.metric + ")"}};
  const std::vector<size_t> order = ranking(*last);
  for (size_t i = 0; i < std::min(order.size(), kMostCurves); ++i) {
    Series series{.name = result.groups[order[i]], .color = static_cast<int>(i), .dots = true};
    for (int64_t step = 0; step <= result.steps; ++step) {
      const EstimandFinding* at = find(metric, step == 0 ? "prior" : "query", step);
      if (at == nullptr) continue;
      series.points.push_back(
          {.x = static_cast<double>(step), .y = at->groups[order[i]].tasks.interval.mean});
    }
    plot.series.push_back(std::move(series));
  }
  return card("Along the inner steps", to_svg(plot),
              "Step 0 is the prior. The groups that lead after the last step.");
}

// All groups in their order, or those that matter most.
std::vector<size_t> columns_of_matrix(const MetricFinding& metric, int64_t steps) {
  const EstimandFinding& query = *find(metric, "query", steps);
  std::vector<size_t> shown = ranking(query);
  if (shown.size() == query.groups.size()) std::ranges::sort(shown);
  return shown;
}

std::string matrix_card(const RunImportance& result, size_t metric) {
  const std::vector<double>& values = result.matrix[metric];
  const size_t groups = result.groups.size();
  if (values.empty() || groups < 2) return {};
  const size_t rows = std::min(values.size() / groups, kMostTasks);
  const std::vector<size_t> shown = columns_of_matrix(result.metrics[metric], result.steps);
  HeatMap map{.about = "Importance of each group in each task",
              .columns = shown.size(),
              .row_names = {result.task_names.begin(),
                            result.task_names.begin() + static_cast<std::ptrdiff_t>(rows)},
              .cell_width = 26,
              .cell_height = 14,
              .unit = result.metrics[metric].metric};
  for (const size_t g : shown) map.column_names.push_back(result.groups[g]);
  for (size_t row = 0; row < rows; ++row) {
    for (const size_t g : shown) map.values.push_back(values[row * groups + g]);
  }
  return card(
      "Task by task", heat_map(map),
      fmt::format("The estimand query in the first {} of {} tasks; orange: the group harms.{}",
                  rows, result.tasks, note_on_groups(groups)));
}

std::string board(const RunImportance& result, const MetricFinding& metric) {
  std::string rows =
      "<tr><th>estimand</th><th>group</th><th>mean</th><th>95 % interval</th><th>joint band</th>"
      "<th>sd of tasks</th><th>tasks above 0</th><th>5, 50, 95 % of tasks</th>"
      "<th>p</th><th>joint p</th><th>most in</th></tr>\n";
  for (const EstimandFinding& finding : metric.estimands) {
    const std::string step = finding.step == result.steps ? "" : fmt::format(" @{}", finding.step);
    for (const size_t g : ranking(finding)) {
      const GroupFinding& group = finding.groups[g];
      const auto& i = group.tasks.interval;
      const auto& quantiles = group.tasks.quantiles;
      rows += fmt::format(
          "<tr><td>{}{}</td><td>{}</td><td>{:.5g}</td><td>{:.4g} … {:.4g}</td><td>{}</td>"
          "<td>{:.3g}</td><td>{:.0f} %</td><td>{:.2g}, {:.2g}, {:.2g}</td>"
          "<td>{:.4g}</td><td>{:.4g}</td><td>{}</td></tr>\n",
          finding.name, step, escape(group.group), i.mean, i.lower, i.upper,
          group.has_band() ? fmt::format("± {:.3g}", group.band_half) : "none", i.deviation,
          100 * group.tasks.share_above_zero, quantiles.front(), quantiles[quantiles.size() / 2],
          quantiles.back(), group.p_value, group.p_joint,
          group.tasks.share_above_zero > 0 ? escape(names_of_worst(result, group).front()) : "");
    }
  }
  const std::string note = note_on_groups(result.groups.size());
  return fmt::format(
      "<section class=\"card wide\">\n<details><summary>{}{}</summary>\n<table class=\"board\">\n"
      "{}</table>\n</details>\n</section>\n",
      metric.metric, note.empty() ? note : "." + note, rows);
}

std::string page(const RunImportance& result) {
  std::string body = section("What was asked", {}, escape(interp::describe_protocol(result)));
  for (size_t m = 0; m < result.metrics.size(); ++m) {
    body += findings(result, result.metrics[m]);
    const std::string more = curve_card(result, result.metrics[m]) + matrix_card(result, m);
    if (!more.empty()) body += section("Steps and tasks", more);
  }
  body += class_maps(result);
  std::string boards;
  for (const MetricFinding& metric : result.metrics) boards += board(result, metric);
  body += section("Numbers", boards);
  return document(fmt::format("What the learner relies on: {}", result.algorithm),
                  fmt::format("{} tasks of {}, checkpoint {}", result.tasks, result.family,
                              result.checkpoint_file.filename().string()),
                  body);
}

}  // namespace

std::vector<fs::path> write_importance(const interp::ImportanceFolder& folder,
                                       const RunImportance& result) {
  write_file_atomically(folder.report(), page(result));
  write_file_atomically(folder.json(), interp::to_json(result));
  write_file_atomically(folder.csv(), interp::to_csv(result));
  return {folder.report(), folder.json(), folder.csv()};
}

}  // namespace outerloop::report
