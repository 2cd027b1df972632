#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/averages.h"
#include "outerloop/base/error.h"
#include "outerloop/config/read.h"
#include "outerloop/config/word.h"
#include "outerloop/sweep/result.h"
#include "outerloop/sweep/state.h"
#include "outerloop/train/statistic_json.h"

namespace outerloop::sweep {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

using train::number_of;
using Json = nlohmann::ordered_json;

// What settings are compared by.
struct Criterion {
  bool accuracy = false;

  double in_validation(const Json& line) const {
    return number_of(line, accuracy ? "accuracy" : "loss_median");
  }
  double in_test(const Json& test) const {
    const auto found = test.find(accuracy ? "accuracy" : "loss");
    return found == test.end() ? kNone : number_of(*found, statistic());
  }
  const char* statistic() const { return accuracy ? "mean" : "median"; }
  bool better(double a, double b) const { return accuracy ? a > b : a < b; }
};

struct Course {
  SeedResult result;
  std::map<int64_t, double> curve;  // validation by iteration
  double best = kNone;              // of the curve
};

void read_curve(const std::filesystem::path& file, const Criterion& criterion, Course& course) {
  std::istringstream lines(read_file(file));
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text);
    if (line.value("kind", "") != "validation") continue;
    const double value = criterion.in_validation(line);
    course.curve[line.at("iteration").get<int64_t>()] = value;
    const bool first = std::isnan(course.best);
    if (!std::isnan(value) && (first || criterion.better(value, course.best))) course.best = value;
  }
}

Course read_course(const SweepFolder& folder, const Point& point, const Criterion& criterion) {
  const train::RunFolder run = folder.run(point);
  Course course{.result = {.number = point.number, .test = kNone}};
  try {
    const Json summary = Json::parse(read_file(run.summary()));
    if (const auto test = summary.find("test"); test != summary.end()) {
      course.result.test = criterion.in_test(*test);
      course.result.diverged = test->value("diverged", int64_t{0});
      course.result.tasks = test->value("tasks", int64_t{0});
    }
    read_curve(run.metrics(), criterion, course);
  } catch (const Json::exception&) {
    throw CorruptFile(
        fmt::format("{}: damaged: summary.json or metrics.jsonl is no JSON; remove "
                    "the folder and run the sweep again",
                    run.root.string()));
  }
  return course;
}

OverSeeds over_seeds(const std::vector<double>& values) {
  std::vector<double> finite;
  std::ranges::copy_if(values, std::back_inserter(finite),
                       [](double v) { return std::isfinite(v); });
  if (finite.empty()) return {.mean = kNone, .half = kNone};
  const MeanInterval interval = mean_interval(finite);
  return {interval.mean, interval.half, static_cast<int64_t>(finite.size())};
}

// At the iterations that every seed reached.
std::vector<CurvePoint> mean_curve(const std::vector<Course>& courses) {
  std::vector<CurvePoint> curve;
  if (courses.empty()) return curve;
  for (const auto& [iteration, value] : courses.front().curve) {
    std::vector<double> values;
    for (const Course& course : courses) {
      const auto found = course.curve.find(iteration);
      if (found != course.curve.end()) values.push_back(found->second);
    }
    const OverSeeds all = over_seeds(values);
    if (all.seeds == std::ssize(courses)) curve.push_back({iteration, all});
  }
  return curve;
}

struct Group {
  Setting setting;
  std::vector<Course> courses;
};

std::vector<std::string> keys_of(const Plan& plan) {
  std::vector<std::string> keys;
  for (const Point& point : plan.points) {
    for (const auto& [key, value] : point.overrides) {
      if (key != "seed" && std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
    }
  }
  return keys;
}

// Of a point; the base config's where it overrides nothing.
std::string value_at(const Point& point, const std::string& key, const config::Config& base) {
  const auto found = std::ranges::find(point.overrides, key, &Override::key);
  return found == point.overrides.end() ? config::value_text(base, key) : found->value;
}

// Settings in planned order, each with its points that are done.
std::vector<Group> grouped(const SweepFolder& folder, const Plan& plan, const config::Config& base,
                           const std::vector<std::string>& keys, const Criterion& criterion) {
  std::vector<Group> groups;
  std::map<std::vector<std::string>, size_t> places;
  for (const Point& point : plan.points) {
    std::vector<std::string> values;
    for (const std::string& key : keys) values.push_back(value_at(point, key, base));
    const auto [place, is_new] = places.emplace(values, groups.size());
    if (is_new) groups.push_back({.setting = {.values = values}});
    Group& group = groups[place->second];
    ++group.setting.planned;
    if (why_not_done(folder, point)) continue;
    group.courses.push_back(read_course(folder, point, criterion));
    group.courses.back().result.seed = value_at(point, "seed", base);
  }
  return groups;
}

Setting concluded(Group group, bool validated) {
  Setting& setting = group.setting;
  std::vector<double> scores;
  std::vector<double> tests;
  for (const Course& course : group.courses) {
    setting.seeds.push_back(course.result);
    setting.seeds.back().score = validated ? course.best : course.result.test;
    scores.push_back(setting.seeds.back().score);
    tests.push_back(course.result.test);
  }
  setting.score = over_seeds(scores);
  setting.test = over_seeds(tests);
  setting.curve = mean_curve(group.courses);
  return std::move(setting);
}

}  // namespace

Table tabulate(const SweepFolder& folder, const Plan& plan) {
  const config::Config base = config::read_config_text(plan.base, folder.base().string()).config;
  const Criterion criterion{.accuracy = config::is_classification(base)};
  const std::vector<std::string> keys = keys_of(plan);
  std::vector<Group> groups = grouped(folder, plan, base, keys, criterion);
  Table table{.keys = keys,
              .measure = criterion.accuracy ? "accuracy" : "loss",
              .statistic = criterion.statistic(),
              .greater_is_better = criterion.accuracy,
              .points = static_cast<int64_t>(plan.points.size())};
  bool all_validated = true;
  for (const Group& group : groups) {
    table.done += static_cast<int64_t>(group.courses.size());
    for (const Course& course : group.courses) all_validated &= !course.curve.empty();
  }
  table.validated = all_validated && table.done > 0;
  for (Group& group : groups)
    table.settings.push_back(concluded(std::move(group), table.validated));
  std::ranges::stable_sort(table.settings, [&](const Setting& a, const Setting& b) {
    if (a.score.seeds == 0 || b.score.seeds == 0) return a.score.seeds > 0 && b.score.seeds == 0;
    // A median that is no number is of a training that diverged: worse than any number.
    const bool a_lost = seeds_without_score(a) > 0, b_lost = seeds_without_score(b) > 0;
    if (a_lost != b_lost) return b_lost;
    return criterion.better(a.score.mean, b.score.mean);
  });
  return table;
}

}  // namespace outerloop::sweep
