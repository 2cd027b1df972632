#include "report/page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "outerloop/base/counted.h"
#include "report/charts.h"
#include "report/image_tasks.h"
#include "report/ticks.h"

namespace outerloop::report {
namespace {

struct ShownStatistic {
  Statistic statistic;
  Unit unit = Unit::number;

  std::string mean() const { return in_words(statistic.mean, unit); }
  bool has_interval() const { return std::isfinite(statistic.ci95); }
  // Behind the mean; empty where there is none.
  std::string interval() const {
    if (!has_interval()) return {};
    return unit == Unit::percent ? fmt::format(" <small>± {:.2g} %</small>", 100 * statistic.ci95)
                                 : fmt::format(" <small>± {:.2g}</small>", statistic.ci95);
  }
  std::string median() const { return in_words(statistic.median, unit); }
};

ShownStatistic shown_of(const StepResult& result) {
  if (result.accuracy) return {*result.accuracy, Unit::percent};
  return {result.loss, Unit::number};
}

std::string headline(const ReportData& data) {
  if (data.test.empty()) {
    const std::string state = data.finished
                                  ? "finished without a test"
                                  : fmt::format("iteration {} of {}", with_commas(data.iterations),
                                                with_commas(data.planned_iterations));
    return fmt::format(
        "<div class=\"tile head\"><b>{}</b><span>{}</span></div>\n", state,
        data.finished ? "test.tasks was 0" : "the training is not finished: no test yet");
  }
  const StepResult& last = data.test.back();
  const ShownStatistic result = shown_of(last);
  return fmt::format(
      "<div class=\"tile head\"><b>{}{}</b><span>{} on {} unseen test {} after {}, "
      "{}</span></div>\n",
      result.mean(), result.interval(), data.classification ? "accuracy" : "mean squared error",
      with_commas(result.statistic.tasks), noun(result.statistic.tasks, "task"),
      counted(last.step, "inner step"),
      result.has_interval() ? "mean and 95 % interval" : "without an interval");
}

std::string tiles(const ReportData& data) {
  std::string html;
  if (!data.test.empty()) {
    if (data.test.size() > 1) html += tile(shown_of(data.test.front()).mean(), "before adaptation");
    html += tile(shown_of(data.test.back()).median(), "median over tasks");
    html += tile(
        fmt::format("{} of {}", with_commas(data.test.back().diverged),
                    with_commas(data.test_draws)),
        data.test_draws > data.test_tasks ? "draws of test tasks diverged" : "test tasks diverged");
  }
  html += tile(with_commas(data.iterations), "outer iterations");
  html += tile(with_commas(data.nonfinite), "training tasks not finite");
  return headline(data) + "<div class=\"tiles\">\n" + html + "</div>\n";
}

std::string first_tasks(size_t count) {
  return count == 1 ? "The first test task" : fmt::format("The first {} test tasks", count);
}

std::string examples(const ReportData& data) {
  if (!data.no_examples.empty()) {
    return section("Example tasks", {}, "Not shown: " + escape(data.no_examples));
  }
  if (!data.image_tasks.empty()) {
    return section(
        "Example tasks", image_task_cards(data),
        fmt::format(
            "{}. Columns are classes with their support images, rows are "
            "query images; numbers are class probabilities in percent. The true class has a "
            "frame; ✓ and ✗ mark the answer, right or wrong.",
            first_tasks(data.image_tasks.size())));
  }
  if (!data.row_tasks.empty()) {
    std::string cards;
    for (const RowTask& task : data.row_tasks) cards += row_chart(task);
    return section(
        "Example tasks", cards,
        fmt::format(
            "{}: each dot is a query row, its true value and what "
            "the network says before (orange) and after (blue) adapting to the support rows.",
            first_tasks(data.row_tasks.size())));
  }
  std::string cards;
  for (const CurveTask& task : data.curve_tasks) cards += curve_chart(task);
  if (cards.empty()) return {};
  return section("Example tasks", cards,
                 fmt::format("{}: the true function, the support points (dots), "
                             "and what the network says before and after adapting to them.",
                             first_tasks(data.curve_tasks.size())));
}

}  // namespace

std::string page(const ReportData& data) {
  std::string html = tiles(data);
  std::vector<std::string> charts = learning_charts(data);
  std::ranges::copy(test_charts(data), std::back_inserter(charts));
  const std::string protocol = card("Protocol", table_of(data.protocol));
  // Beside the results where there is room.
  const bool early = charts.size() % 2 == 1;
  if (early) charts.push_back(protocol);
  html += section("Learning and testing", fmt::format("{}", fmt::join(charts, "")));
  html += examples(data);
  html += section(early ? "Run" : "Protocol and run",
                  (early ? std::string() : protocol) + card("Run", table_of(data.run)) +
                      card("Environment", table_of(data.environment)));
  html += fmt::format("<details><summary>Configuration</summary>\n<pre>{}</pre>\n</details>\n",
                      escape(data.config));
  return document(data.title, data.subtitle, html);
}

}  // namespace outerloop::report
