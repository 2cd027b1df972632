#include "report/gather.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/duration.h"
#include "outerloop/base/error.h"
#include "outerloop/config/algorithms.h"
#include "outerloop/config/print.h"
#include "outerloop/config/read.h"
#include "outerloop/data/csv_table.h"
#include "outerloop/train/run_folder.h"
#include "outerloop/train/statistic_json.h"
#include "report/gather_examples.h"
#include "report/ticks.h"

namespace outerloop::report {
namespace {

namespace fs = std::filesystem;
using train::number_of;
using Json = nlohmann::ordered_json;

std::optional<double> optional_number(const Json& json, const char* key) {
  if (!json.contains(key)) return std::nullopt;
  return number_of(json, key);
}

// Calls `read`, which takes values out of JSON from this file.
template <class Read>
auto reading(const fs::path& file, Read read) {
  try {
    return read();
  } catch (const Json::parse_error&) {
    throw BadInput(fmt::format("{}: damaged: it is no JSON", file.string()));
  } catch (const Json::exception&) {
    throw BadInput(
        fmt::format("{}: damaged: a value is of another type than was written", file.string()));
  }
}

Json parse(const fs::path& file) {
  return reading(file, [&] { return Json::parse(read_file(file)); });
}

void read_metrics(const fs::path& file, ReportData& data) {
  if (!fs::exists(file)) return;
  std::istringstream lines(read_file(file));
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text, nullptr, false);
    if (!line.is_object()) continue;  // a line that a running training is writing
    const int64_t iteration = line.value("iteration", int64_t{0});
    data.iterations = std::max(data.iterations, iteration);
    if (line.value("kind", "") == "train") {
      data.training.push_back(
          {iteration, number_of(line, "loss"), optional_number(line, "accuracy")});
      data.nonfinite = line.value("nonfinite", int64_t{0});
    } else {
      data.validation.push_back({iteration, number_of(line, "loss"), number_of(line, "loss_ci95"),
                                 optional_number(line, "accuracy"),
                                 number_of(line, "accuracy_ci95")});
    }
  }
}

void read_test(const Json& test, ReportData& data) {
  data.test_draws = test.value("tasks", int64_t{0});
  data.test_tasks = std::min(test.value("distinct", data.test_draws), data.test_draws);
  for (const Json& point : test.value("curve", Json::array())) {
    StepResult result{.step = point.value("step", int64_t{0}),
                      .loss = train::statistic_of(point.at("loss")),
                      .diverged = point.value("diverged", int64_t{0})};
    if (point.contains("accuracy")) result.accuracy = train::statistic_of(point.at("accuracy"));
    data.test.push_back(result);
  }
}

void read_summary(const fs::path& file, ReportData& data) {
  if (!fs::exists(file)) return;
  const Json summary = parse(file);
  data.finished = true;
  data.iterations = summary.value("iterations", data.iterations);
  if (summary.contains("best_iteration")) data.best_iteration = summary["best_iteration"];
  if (summary.contains("test")) read_test(summary["test"], data);
  data.run.emplace_back("Training time", fmt::format("{:.1f} s", number_of(summary, "wall_s")));
  data.run.emplace_back(
      "Speed",
      fmt::format("{} tasks/s", with_commas(std::llround(number_of(summary, "tasks_per_s")))));
  if (summary.value("early_stopped", false)) data.run.emplace_back("Stopped early", "yes");
  data.run.emplace_back("Tested checkpoint",
                        fs::path(summary.value("checkpoint", "")).filename().string());
  data.run.emplace_back("Its SHA-256", summary.value("content_hash", ""));
}

// A number of test_tasks.csv, perhaps inf or nan.
double measured(const std::string& field, const fs::path& file) {
  double value = 0;
  const char* end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, value);
  if (error == std::errc{} && stop == end) return value;
  throw BadInput(fmt::format("{}: damaged: expected a number, got '{}'", file.string(), field));
}

// Columns <measure>_0 and <measure>_K of test_tasks.csv.
void read_task_results(const fs::path& file, double diverged_loss, ReportData& data) {
  if (!fs::exists(file) || data.test.empty()) return;
  const data::CsvTable csv = data::parse_csv(read_file(file), file.string());
  const auto of_tasks = [&](size_t step) {
    const std::string name = fmt::format("{}_{}", data.classification ? "accuracy" : "loss", step);
    const std::optional<size_t> column = csv.column(name);
    if (!column) throw BadInput(fmt::format("{}: damaged: no column {}", file.string(), name));
    std::vector<float> draws;
    std::vector<uint8_t> diverged;
    for (const auto& row : csv.rows) {
      const double value = measured(row[*column], file);
      draws.push_back(static_cast<float>(value));
      diverged.push_back(!std::isfinite(value) || (!data.classification && value > diverged_loss));
    }
    std::vector<double> means = train::means_of_tasks(draws, diverged, data.test_tasks);
    means.resize(static_cast<size_t>(data.test_tasks), std::nan(""));
    return means;
  };
  data.task_results = {.before = of_tasks(0), .after = of_tasks(data.test.size() - 1)};
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump();
}

// "steps_at_test" as "Steps at test".
std::string in_plain_words(std::string key, bool classification) {
  if (key == "isa") return "Instruction set";
  if (key == "within") return "Classes of a task from";
  if (key == "shots" && !classification) return "Support points";
  if (key == "queries_per_class" && !classification) return "Query points";
  std::ranges::replace(key, '_', ' ');
  if (!key.empty() && key[0] >= 'a' && key[0] <= 'z') key[0] = static_cast<char>(key[0] - 32);
  return key;
}

void read_manifest(const fs::path& file, ReportData& data) {
  constexpr auto kOfClasses = std::to_array<std::string_view>({"ways", "rotation", "within"});
  if (!fs::exists(file)) return;
  const Json manifest = parse(file);
  for (const auto& [key, value] : manifest.items()) {
    if (key == "protocol") {
      for (const auto& [name, entry] : value.items()) {
        if (!data.classification && std::ranges::find(kOfClasses, name) != kOfClasses.end())
          continue;
        if (name == "ensemble" && entry == 1) continue;
        if (name == "within" && entry == "none") continue;
        data.protocol.emplace_back(in_plain_words(name, data.classification), text_of(entry));
      }
    } else if (std::string text = text_of(value); !text.empty()) {
      data.environment.emplace_back(in_plain_words(key, data.classification), std::move(text));
    }
  }
}

std::string tasks_in_words(const config::Config& config) {
  const config::Protocol protocol = config::test_protocol(config);
  if (!config::has_dataset(config)) {
    return fmt::format("{} regression from {} points", config::word(config.tasks.family),
                       protocol.shots);
  }
  const std::string name = fs::path(config.tasks.dataset).filename().string();
  const std::string stem = name.substr(0, name.find('.'));
  if (!config::is_classification(config)) {
    return fmt::format("{} from {}, {} rows a task", config.tasks.table.target, stem,
                       protocol.shots);
  }
  return fmt::format("{}, {}-way {}-shot", stem, protocol.ways, protocol.shots);
}

// The last part of the folder's path, with or without a slash at its end.
std::string name_of(const fs::path& run) {
  const fs::path clean = fs::absolute(run).lexically_normal();
  return (clean.has_filename() ? clean : clean.parent_path()).filename().string();
}

// Empty where it is that of the queries after adaptation.
std::string training_loss_in_words(const config::Config& config) {
  if (config::algorithm_of(config.learner.algorithm).has_support_loss) {
    return "of a task's last support minibatch, before its step";
  }
  const int64_t epochs = config.learner.multi_step_loss_epochs;
  if (epochs == 0) return {};
  return fmt::format("a weighted sum over inner steps up to iteration {}",
                     epochs * config.outer.epoch);
}

void describe_config(const config::Config& config, ReportData& data) {
  data.subtitle = fmt::format("{}; {} ({})", tasks_in_words(config), config.learner.algorithm,
                              config::algorithm_of(config.learner.algorithm).help);
  data.classification = config::is_classification(config);
  data.ways = config::test_protocol(config).ways;
  data.training_steps = config::training_protocol(config).steps;
  data.training_loss = training_loss_in_words(config);
  data.test_steps = config::test_protocol(config).steps;
  data.planned_iterations = config.outer.iterations;
  data.config = config::to_yaml(config);
}

}  // namespace

ReportData gather(const fs::path& run) {
  const train::RunFolder folder{run};
  train::require_run(folder);
  // As it was stored, wherever the run lies now.
  const config::Config config =
      config::read_config_text(read_file(folder.config()), folder.config().string()).config;
  ReportData data{.title = name_of(run)};
  describe_config(config, data);
  reading(folder.metrics(), [&] { read_metrics(folder.metrics(), data); });
  reading(folder.summary(), [&] { read_summary(folder.summary(), data); });
  read_task_results(folder.test_tasks(), config.test.diverged_loss, data);
  reading(folder.manifest(), [&] { read_manifest(folder.manifest(), data); });
  data.run.insert(data.run.begin(),
                  {"Iterations", fmt::format("{} of {}", with_commas(data.iterations),
                                             with_commas(data.planned_iterations))});
  data.run.emplace_back("Training tasks left out (not finite)", with_commas(data.nonfinite));
  gather_examples(run, config.report.example_tasks, data);
  return data;
}

}  // namespace outerloop::report
