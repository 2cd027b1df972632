// The report of permutation importance.

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "outerloop/base/atomic_file.h"
#include "outerloop/report/importance_report.h"
#include "report/bar_chart.h"
#include "report/html.h"

namespace outerloop::report {
namespace {

namespace fs = std::filesystem;
using interp::Importance;
using interp::ImportanceResult;

// The most important first; ties in the order of the groups.
std::vector<size_t> ranking(const Importance& importance) {
  std::vector<size_t> order(importance.mean.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](size_t g) { return importance.mean[g]; });
  return order;
}

std::string chart(const ImportanceResult& result, const Importance& importance) {
  std::vector<Bar> bars;
  for (const size_t g : ranking(importance)) {
    const double half = result.is_exact() ? 0 : importance.deviation[g];
    const double mean = importance.mean[g];
    bars.push_back({result.groups[g].name, mean, mean - half, mean + half});
  }
  const std::string axis = fmt::format("fall of the score ({})", importance.metric);
  return card(
      fmt::format("Score ({}), {:.4g} untouched", importance.metric, importance.baseline),
      bar_chart("Importance of the features by " + std::string(importance.metric), axis, bars),
      result.is_exact() ? "Means over all donor rows."
                        : "Means over permutations; whiskers: ± one standard deviation "
                          "over them.");
}

std::string board(const ImportanceResult& result) {
  const bool grouped = !result.spec.groups.empty();
  std::string rows = grouped ? "<tr><th>group</th><th>features</th>" : "<tr><th>feature</th>";
  for (const Importance& importance : result.metrics) {
    rows += fmt::format("<th>{}</th>", importance.metric);
  }
  rows += "</tr>\n";
  for (const size_t g : ranking(result.metrics.front())) {
    rows += fmt::format("<tr><td>{}</td>", escape(result.groups[g].name));
    if (grouped) {
      rows += fmt::format("<td>{}</td>", escape(result.group_columns(result.groups[g])));
    }
    for (const Importance& importance : result.metrics) {
      rows += result.is_exact() ? fmt::format("<td>{:.6g}</td>", importance.mean[g])
                                : fmt::format("<td>{:.6g} ± {:.2g}</td>", importance.mean[g],
                                              importance.deviation[g]);
    }
    rows += "</tr>\n";
  }
  return "<section class=\"card wide\">\n<table class=\"board\">\n" + rows +
         "</table>\n</section>\n";
}

std::string page(const ImportanceResult& result) {
  std::string charts;
  for (const Importance& importance : result.metrics) charts += chart(result, importance);
  return document(fmt::format("Importance: {}", result.spec.name),
                  fmt::format("What the {} model of {} reads in {}", result.spec.model,
                              result.spec.target, result.table.filename().string()),
                  section("Importance", charts, escape(interp::describe_protocol(result))) +
                      section("Numbers", board(result)));
}

}  // namespace

std::vector<fs::path> write_importance(const interp::ImportanceFolder& folder,
                                       const ImportanceResult& result) {
  write_file_atomically(folder.report(), page(result));
  write_file_atomically(folder.json(), interp::to_json(result));
  write_file_atomically(folder.csv(), interp::to_csv(result));
  return {folder.report(), folder.json(), folder.csv()};
}

}  // namespace outerloop::report
