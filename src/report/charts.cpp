#include "report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/counted.h"
#include "report/histogram.h"
#include "report/plot.h"

namespace outerloop::report {
namespace {

// Colours of the palette.
constexpr int kTraining = 2;
constexpr int kMain = 0;  // validation, test, after adaptation
constexpr int kBefore = 1;
constexpr int kTruth = 3;

constexpr size_t kMostPoints = 400;

// Means over neighbours where there are more points than a plot can show.
std::vector<Point> thinned(const std::vector<Point>& points) {
  const size_t group = (points.size() + kMostPoints - 1) / kMostPoints;
  if (group <= 1) return points;
  std::vector<Point> result;
  for (size_t begin = 0; begin < points.size(); begin += group) {
    const size_t end = std::min(begin + group, points.size());
    Point mean{.x = points[end - 1].x};
    for (size_t i = begin; i < end; ++i) mean.y += points[i].y / static_cast<double>(end - begin);
    result.push_back(mean);
  }
  return result;
}

Point with_interval(double x, double mean, double ci95) {
  return {.x = x, .y = mean, .low = mean - ci95, .high = mean + ci95};
}

// Losses that span orders of magnitude are read on a logarithmic axis.
bool wants_logarithm(const std::vector<Series>& all) {
  double low = INFINITY;
  double high = 0;
  for (const Series& series : all) {
    for (const Point& p : series.points) {
      if (!std::isfinite(p.y)) continue;
      low = std::min(low, p.y);
      high = std::max(high, p.y);
    }
  }
  return low > 0 && high > 20 * low;
}

std::string learning_chart(const ReportData& data, bool accuracy) {
  Series training{.name = "training", .color = kTraining};
  for (const TrainingPoint& p : data.training) {
    training.points.push_back(
        {.x = static_cast<double>(p.iteration), .y = accuracy ? p.accuracy.value_or(NAN) : p.loss});
  }
  training.points = thinned(training.points);
  Series validation{.name = "validation", .color = kMain, .dots = true, .whiskers = true};
  for (const ValidationPoint& p : data.validation) {
    const double mean = accuracy ? p.accuracy.value_or(NAN) : p.loss;
    const double ci95 = accuracy ? p.accuracy_ci95 : p.loss_ci95;
    validation.points.push_back(with_interval(static_cast<double>(p.iteration), mean, ci95));
  }
  validation.dots = validation.points.size() <= 60;
  const char* measure = accuracy ? "Accuracy" : data.classification ? "Loss" : "Mean squared error";
  Plot plot{.about = fmt::format("{} over outer iterations, training and validation", measure),
            .x = {.label = "outer iteration", .whole_numbers = true, .from_zero = true},
            .y = {.label = "after adaptation, on queries",
                  .unit = accuracy ? Unit::percent : Unit::number},
            .series = {training, validation}};
  plot.y.logarithmic = !accuracy && wants_logarithm(plot.series);
  if (data.best_iteration) {
    plot.rules.push_back({static_cast<double>(*data.best_iteration), "best"});
  }
  std::string note;
  if (data.training_steps != data.test_steps) {
    note = fmt::format("Inner steps: {} in training, {} in validation.", data.training_steps,
                       data.test_steps);
  }
  if (!accuracy && !data.training_loss.empty()) {
    note +=
        fmt::format("{}The loss of training is {}.", note.empty() ? "" : " ", data.training_loss);
  }
  return card(fmt::format("{} while learning", measure), to_svg(plot), note);
}

std::string adaptation_chart(const ReportData& data, bool accuracy) {
  Series test{.color = kMain, .dots = true, .band = true, .whiskers = true, .end_values = true};
  bool intervals = false;
  for (const StepResult& result : data.test) {
    const Statistic& s = accuracy ? *result.accuracy : result.loss;
    intervals = intervals || std::isfinite(s.ci95);
    test.points.push_back(with_interval(static_cast<double>(result.step), s.mean, s.ci95));
  }
  const char* measure = accuracy ? "accuracy" : data.classification ? "loss" : "mean squared error";
  Plot plot{.about = fmt::format("Test {} over inner steps", measure),
            .x = {.label = "inner steps on the support set", .whole_numbers = true},
            .y = {.label = fmt::format("{} on queries", measure),
                  .unit = accuracy ? Unit::percent : Unit::number,
                  .from_zero = true},
            .series = {test}};
  plot.y.logarithmic = !accuracy && wants_logarithm(plot.series);
  const bool diverged =
      std::ranges::any_of(data.test, [](const StepResult& result) { return result.diverged > 0; });
  if (accuracy) {
    plot.rules.push_back({1.0 / static_cast<double>(data.ways), "chance", false});
  }
  return card(
      accuracy || !data.classification ? "Adaptation to unseen tasks" : "Loss in adaptation",
      to_svg(plot),
      fmt::format("{} over {} test {}{}.", intervals ? "Mean and 95 % interval" : "Mean",
                  with_commas(data.test_tasks), noun(data.test_tasks, "task"),
                  accuracy || !diverged               ? ""
                  : data.test_draws > data.test_tasks ? ", without draws that diverged"
                                                      : ", without those that diverged"));
}

std::string task_chart(const ReportData& data) {
  const TaskResults& results = data.task_results;
  const bool steps = data.test.size() > 1;
  const Histogram histogram = make_histogram(results, data.classification);
  Plot plot{.about = "Shares of test tasks by their result, before and after adaptation",
            .x = {.label = data.classification ? "accuracy on a task's queries"
                                               : "mean squared error on a task's queries",
                  .unit = data.classification ? Unit::percent : Unit::number,
                  .logarithmic = histogram.logarithmic},
            .y = {.label = "share of test tasks", .unit = Unit::percent, .from_zero = true}};
  plot.bars.push_back({"after adaptation", histogram.edges, histogram.after, kMain, true});
  if (steps) {
    plot.bars.push_back({"before adaptation", histogram.edges, histogram.before, kBefore, false});
  }
  const auto diverged = data.test.back().diverged;
  std::string note;
  if (diverged > 0) {
    note =
        fmt::format("{} of {} {} diverged{}.", with_commas(diverged), with_commas(data.test_draws),
                    data.test_draws > data.test_tasks ? "draws of tasks" : "tasks",
                    data.classification ? "" : " and are not in the picture");
  }
  return card("Task by task", to_svg(plot), note);
}

}  // namespace

std::vector<std::string> learning_charts(const ReportData& data) {
  if (data.training.empty() && data.validation.empty()) return {};
  std::vector<std::string> charts;
  if (data.classification) charts.push_back(learning_chart(data, true));
  charts.push_back(learning_chart(data, false));
  return charts;
}

std::vector<std::string> test_charts(const ReportData& data) {
  std::vector<std::string> charts;
  if (data.test.size() > 1) charts.push_back(adaptation_chart(data, data.classification));
  if (!data.task_results.after.empty()) charts.push_back(task_chart(data));
  return charts;
}

namespace {

std::vector<Point> points(const std::vector<Place>& places) {
  std::vector<Point> result;
  for (const Place& place : places) result.push_back({.x = place.x, .y = place.y});
  return result;
}

}  // namespace

std::string row_chart(const RowTask& task) {
  Plot plot{.about = "True and predicted values of the query rows of a test task",
            .x = {.label = "true " + task.target},
            .y = {.label = "predicted " + task.target}};
  const auto [least, most] = std::ranges::minmax_element(task.before, {}, &Place::x);
  plot.series.push_back({.name = "truth",
                         .points = {{.x = least->x, .y = least->x}, {.x = most->x, .y = most->x}},
                         .color = kTruth});
  plot.series.push_back(
      {.points = points(task.before), .color = kBefore, .line = false, .dots = true});
  plot.series.push_back(
      {.points = points(task.after), .color = kMain, .line = false, .dots = true});
  return card(task.name, to_svg(plot));
}

std::string curve_chart(const CurveTask& task) {
  Plot plot{.about = "True function, support points and predictions of a test task",
            .x = {.label = "x"},
            .y = {.label = "y"}};
  plot.series.push_back({.name = "truth", .points = points(task.truth), .color = kTruth});
  for (size_t i = 0; i < task.predictions.size(); ++i) {
    const Prediction& prediction = task.predictions[i];
    const bool last = i + 1 == task.predictions.size();
    const std::string name = i == 0 ? "before" : counted(prediction.step, "step");
    plot.series.push_back({.name = name,
                           .points = points(prediction.curve),
                           .color = i == 0 ? kBefore
                                    : last ? kMain
                                           : kTraining,
                           .dashed = !last});
  }
  plot.series.push_back(
      {.points = points(task.support), .color = kTruth, .line = false, .dots = true});
  return card(task.name, to_svg(plot));
}

}  // namespace outerloop::report
