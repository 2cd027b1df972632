// A sweep's table as CSV, JSON and text.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "outerloop/base/csv_field.h"
#include "outerloop/sweep/result.h"

namespace outerloop::sweep {
namespace {

using Json = nlohmann::ordered_json;

std::string csv_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : std::string();
}

int64_t test_tasks(const Setting& setting) {
  int64_t sum = 0;
  for (const SeedResult& seed : setting.seeds) sum += seed.tasks;
  return sum;
}

Json to_json(const OverSeeds& value) {
  return {{"mean", value.mean}, {"ci95", value.half}, {"seeds", value.seeds}};
}

Json to_json(const Setting& setting) {
  Json seeds = Json::array();
  for (const SeedResult& seed : setting.seeds) {
    seeds.push_back({{"point", seed.number},
                     {"seed", seed.seed},
                     {"score", seed.score},
                     {"test", seed.test},
                     {"diverged", seed.diverged},
                     {"tasks", seed.tasks}});
  }
  Json curve = Json::array();
  for (const auto& [iteration, value] : setting.curve) {
    curve.push_back({{"iteration", iteration}, {"mean", value.mean}, {"ci95", value.half}});
  }
  return {{"values", setting.values},
          {"score", to_json(setting.score)},
          {"test", to_json(setting.test)},
          {"planned", setting.planned},
          {"seeds", seeds},
          {"validation", curve}};
}

std::string in_words(const OverSeeds& value) {
  if (value.seeds == 0) return "-";
  if (!std::isfinite(value.half)) return fmt::format("{:.4g}", value.mean);
  return fmt::format("{:.4g} ± {:.2g}", value.mean, value.half);
}

size_t columns(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

// Columns as wide as their widest field.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - columns(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace

int64_t seeds_without_score(const Setting& setting) {
  return std::ssize(setting.seeds) - setting.score.seeds;
}

std::string seeds_in_words(const Setting& setting) {
  const std::string done = fmt::format("{} of {}", setting.seeds.size(), setting.planned);
  const int64_t lost = seeds_without_score(setting);
  return lost == 0 ? done : fmt::format("{}, {} without a score", done, lost);
}

int64_t diverged(const Setting& setting) {
  int64_t sum = 0;
  for (const SeedResult& seed : setting.seeds) sum += seed.diverged;
  return sum;
}

std::string diverged_in_words(const Setting& setting) {
  const int64_t tasks = test_tasks(setting);
  return tasks == 0 ? "-" : fmt::format("{} of {}", diverged(setting), tasks);
}

bool any_diverged(const Table& table) {
  return std::ranges::any_of(table.settings, [](const Setting& s) { return diverged(s) > 0; });
}

std::string measure_in_words(const Table& table, const std::string& split) {
  const char* statistic = table.statistic == "median" ? "median " : "";
  return fmt::format("{}{} {}", statistic, split, table.measure);
}

std::string to_csv(const Table& table) {
  std::string text = "rank";
  for (const std::string& key : table.keys) text += "," + key;
  text +=
      ",score,score_ci95,test,test_ci95,seeds,without_score,planned,diverged,test_tasks,measure,"
      "statistic\n";
  size_t rank = 0;
  for (const Setting& setting : table.settings) {
    text += fmt::format("{}", ++rank);
    for (const std::string& value : setting.values) text += "," + csv_field(value);
    text += fmt::format(",{},{},{},{},{},{},{},{},{},{},{}\n", csv_number(setting.score.mean),
                        csv_number(setting.score.half), csv_number(setting.test.mean),
                        csv_number(setting.test.half), setting.seeds.size(),
                        seeds_without_score(setting), setting.planned, diverged(setting),
                        test_tasks(setting), table.measure, table.statistic);
  }
  return text;
}

std::string to_json(const Table& table) {
  Json settings = Json::array();
  for (const Setting& setting : table.settings) settings.push_back(to_json(setting));
  const Json json{{"measure", table.measure},
                  {"statistic", table.statistic},
                  {"score", table.validated ? "best validation" : "test"},
                  {"greater_is_better", table.greater_is_better},
                  {"points", table.points},
                  {"done", table.done},
                  {"keys", table.keys},
                  {"settings", settings}};
  return json.dump(1) + "\n";
}

std::string to_text(const Table& table, size_t most) {
  std::vector<std::vector<std::string>> rows{{"rank"}};
  std::ranges::copy(table.keys, std::back_inserter(rows[0]));
  rows[0].push_back(measure_in_words(table, table.validated ? "validation" : "test"));
  if (table.validated) rows[0].push_back(measure_in_words(table, "test"));
  if (any_diverged(table)) rows[0].emplace_back("diverged");
  rows[0].emplace_back("seeds");
  for (const Setting& setting : table.settings) {
    if (rows.size() > most) break;
    rows.push_back({fmt::format("{}", rows.size())});
    std::ranges::copy(setting.values, std::back_inserter(rows.back()));
    rows.back().push_back(in_words(setting.score));
    if (table.validated) rows.back().push_back(in_words(setting.test));
    if (any_diverged(table)) rows.back().push_back(diverged_in_words(setting));
    rows.back().push_back(seeds_in_words(setting));
  }
  std::string text = aligned(rows);
  if (table.settings.size() > most) {
    text += fmt::format("… and {} more settings\n", table.settings.size() - most);
  }
  return text;
}

}  // namespace outerloop::sweep
