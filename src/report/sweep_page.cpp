// The report of a sweep.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/atomic_file.h"
#include "outerloop/report/sweep_report.h"
#include "report/html.h"
#include "report/parallel.h"
#include "report/plot.h"
#include "report/ticks.h"

namespace outerloop::report {
namespace {

using sweep::OverSeeds;
using sweep::Setting;
using sweep::Table;

constexpr size_t kCurves = 3;  // colours of the palette

Unit unit_of(const Table& table) {
  return table.greater_is_better ? Unit::percent : Unit::number;
}

std::string with_interval(const OverSeeds& value, Unit unit) {
  if (value.seeds == 0) return "–";
  const std::string mean = in_words(value.mean, unit);
  if (!std::isfinite(value.half)) return mean;
  return unit == Unit::percent ? fmt::format("{} ± {:.2g} %", mean, 100 * value.half)
                               : fmt::format("{} ± {:.2g}", mean, value.half);
}

std::string words_of(const Table& table, const Setting& setting) {
  std::vector<std::string> words;
  for (size_t k = 0; k < table.keys.size(); ++k) {
    words.push_back(fmt::format("{} {}", table.keys[k], setting.values[k]));
  }
  return words.empty() ? "the base config" : fmt::format("{}", fmt::join(words, ", "));
}

std::string score_name(const Table& table) {
  return table.validated ? "best " + measure_in_words(table, "validation")
                         : measure_in_words(table, "test");
}

std::string tiles(const Table& table) {
  std::string html;
  if (!table.settings.empty() && table.settings[0].score.seeds > 0) {
    const Setting& best = table.settings[0];
    html = fmt::format(
        "<div class=\"tile head\"><b>{}</b><span>{} of the best setting: {}</span></div>\n",
        escape(with_interval(best.score, unit_of(table))), score_name(table),
        escape(words_of(table, best)));
  }
  std::string row = tile(
      fmt::format("{} of {}", with_commas(table.done), with_commas(table.points)), "points done");
  row += tile(with_commas(static_cast<long long>(table.settings.size())), "settings");
  if (table.validated && !html.empty()) {
    row += tile(with_interval(table.settings[0].test, unit_of(table)),
                measure_in_words(table, "test") + " of the best");
  }
  return html + "<div class=\"tiles\">\n" + row + "</div>\n";
}

std::string curves(const Table& table) {
  Plot plot{.about = "Validation of the best settings over outer iterations",
            .x = {.label = "outer iteration", .whole_numbers = true, .from_zero = true},
            .y = {.label = measure_in_words(table, "validation"), .unit = unit_of(table)}};
  std::vector<Fact> legend;
  double low = INFINITY;
  double high = 0;
  for (size_t i = 0; i < std::min(kCurves, table.settings.size()); ++i) {
    const Setting& setting = table.settings[i];
    if (setting.curve.empty()) continue;
    Series series{.name = fmt::format("{}", i + 1), .color = static_cast<int>(i)};
    series.band = setting.score.seeds > 1;
    for (const auto& [iteration, value] : setting.curve) {
      const double half = std::isfinite(value.half) ? value.half : 0;
      series.points.push_back({.x = static_cast<double>(iteration),
                               .y = value.mean,
                               .low = value.mean - half,
                               .high = value.mean + half});
      low = std::min(low, value.mean);
      high = std::max(high, value.mean);
    }
    plot.series.push_back(std::move(series));
    legend.emplace_back(fmt::format("{}", i + 1), words_of(table, setting));
  }
  if (plot.series.empty()) return {};
  plot.y.logarithmic = !table.greater_is_better && low > 0 && high > 20 * low;
  return card("The best settings while learning", to_svg(plot),
              "Mean over seeds; bands: 95 % intervals.") +
         card("Their keys", table_of(legend));
}

std::string picture(const Table& table) {
  const std::string svg = parallel_coordinates(table);
  if (svg.empty()) return {};
  return fmt::format(
      "<section class=\"card wide\">\n{}<p class=\"note\">A line is a setting, the orange one the "
      "best; it ends at the mean over seeds, and its wedge spans the 95 % "
      "interval.</p>\n</section>\n",
      svg);
}

std::string cells(const char* kind, const std::vector<std::string>& texts) {
  std::string row = "<tr>";
  for (const std::string& text : texts) row += fmt::format("<{0}>{1}</{0}>", kind, escape(text));
  return row + "</tr>\n";
}

std::string board(const Table& table) {
  const Unit unit = unit_of(table);
  std::vector<std::string> head{"rank"};
  std::ranges::copy(table.keys, std::back_inserter(head));
  head.push_back(score_name(table));
  if (table.validated) head.push_back(measure_in_words(table, "test"));
  if (any_diverged(table)) head.emplace_back("diverged");
  head.emplace_back("seeds");
  std::string rows = cells("th", head);
  size_t rank = 0;
  for (const Setting& setting : table.settings) {
    std::vector<std::string> row{fmt::format("{}", ++rank)};
    std::ranges::copy(setting.values, std::back_inserter(row));
    row.push_back(with_interval(setting.score, unit));
    if (table.validated) row.push_back(with_interval(setting.test, unit));
    if (any_diverged(table)) row.push_back(diverged_in_words(setting));
    row.push_back(seeds_in_words(setting));
    rows += cells("td", row);
  }
  return "<section class=\"card wide\">\n<table class=\"board\">\n" + rows +
         "</table>\n</section>\n";
}

std::string sweep_page(const Table& table) {
  const std::string title = table.keys.empty()
                                ? "Sweep over seeds"
                                : fmt::format("Sweep over {}", fmt::join(table.keys, ", "));
  const std::string lead =
      table.greater_is_better
          ? "Accuracies are means over tasks; ± is Student's 95 % interval over seeds."
          : "Losses are medians over tasks; ± is Student's 95 % interval over seeds.";
  return document(title, lead,
                  tiles(table) + section("Keys and scores", picture(table)) +
                      section("Learning", curves(table)) + section("All settings", board(table)));
}

}  // namespace

std::vector<std::filesystem::path> write_sweep(const sweep::SweepFolder& folder,
                                               const Table& table) {
  const std::vector<std::filesystem::path> files{folder.report("html"), folder.report("csv"),
                                                 folder.report("json")};
  write_file_atomically(files[0], sweep_page(table));
  write_file_atomically(files[1], sweep::to_csv(table));
  write_file_atomically(files[2], sweep::to_json(table));
  return files;
}

}  // namespace outerloop::report
