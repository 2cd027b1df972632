#include "cli/importance_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "outerloop/base/error.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/interp/importance_spec.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

interp::Estimand estimand_named(const std::string& name) {
  if (const auto estimand = config::choice_named<interp::Estimand>(name)) return *estimand;
  throw BadInput(fmt::format("--estimands: expected some of {}, got '{}'",
                             choice_words(interp::Estimand{}), name));
}

data::Split split_of_flag(const std::string& name) {
  if (const auto split = data::split_named(name)) return *split;
  throw BadInput(fmt::format("--split: expected train, validation or test, got '{}'", name));
}

bool donors_within_class(const std::string& word) {
  if (word == config::word(interp::DonorRule::any)) return false;
  if (word == config::word(interp::DonorRule::within_class)) return true;
  throw BadInput(fmt::format(
      "--donors: expected any or within_class, got '{}'{}", word,
      word == config::word(interp::DonorRule::ridge_residual)
          ? ", which is of YAML files: a task has too few rows to fit what other features leave"
          : ""));
}

// "name=a,b"
interp::NamedGroup group_named(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == text.npos || equals == 0) {
    throw BadInput(fmt::format("--group: expected NAME=FEATURE,FEATURE…, got '{}'", text));
  }
  interp::NamedGroup group{.name = text.substr(0, equals)};
  std::istringstream columns(text.substr(equals + 1));
  for (std::string column; std::getline(columns, column, ',');) group.columns.push_back(column);
  return group;
}

constexpr const char* kOfRuns = "Of a run";
constexpr int64_t kMostRepeats = 10'000;
constexpr int64_t kGreatestSeed = 1'000'000'000'000;  // as of `outerloop eval`

int64_t within(const char* flag, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return value;
  throw BadInput(fmt::format("{}: expected {} to {}, got {}", flag, low, high, value));
}

std::optional<interp::BudgetRule> budget_of(const RunImportanceFlags& flags) {
  if (!flags.budget) {
    if (flags.half_width) throw BadInput("--half-width is of --budget auto: give both");
    return {};
  }
  if (*flags.budget != "auto") {
    throw BadInput(fmt::format("--budget: expected auto, got '{}'", *flags.budget));
  }
  if (flags.repeats) throw BadInput("--repeats: --budget auto chooses them; give one of the two");
  interp::BudgetRule rule;
  rule.half_width = flags.half_width.value_or(rule.half_width);
  if (rule.half_width > 0 && std::isfinite(rule.half_width)) return rule;
  throw BadInput(fmt::format("--half-width: expected more than 0, got {}", rule.half_width));
}

}  // namespace

void add_scoring_flags(Command command, RunImportanceFlags& flags) {
  const std::string runs = kOfRuns;
  const auto add = [&](const char* name, auto& value, const std::string& help) {
    return command.add_option(name, value, help).group(runs);
  };
  add("--checkpoint", flags.checkpoint, "best, last or a file [best]");
  add("--split", flags.split, "train, validation or test [test]");
  add("--tasks", flags.tasks, "Tasks to score, each once [as many as the run's own test has]");
  add("--seed", flags.seed, "Of tasks and permutations [the run's]");
  add("--repeats", flags.repeats, "Permutations of a group in a task, between rows of a set [2]");
  add("--donors", flags.donors,
      "Rows that give values: any, or within_class, which leaves out across, and the support set "
      "where a class has one row [any]; ridge_residual is of YAML files alone, as a task has too "
      "few rows to fit what other features leave");
  command
      .add_flag("--exact", flags.exact, "Estimands prior and query over all donors, without chance")
      .group(runs);
  command.add_flag("--curve", flags.curve, "The estimand query after each inner step").group(runs);
  add("--estimands", flags.estimands,
      fmt::format("Some of {} [all that the learner has; drop where the data set has training "
                  "tasks]",
                  choice_words(interp::Estimand{})))
      .delimiter(',');
  add("--metrics", flags.metrics,
      fmt::format("{}; of classes {} [{}; {}]",
                  fmt::join(interp::metrics_for(interp::Output::number), ", "),
                  fmt::join(interp::metrics_for(interp::Output::probabilities), ", "),
                  fmt::join(interp::usual_metrics(false), ","),
                  fmt::join(interp::usual_metrics(true), ",")))
      .delimiter(',');
  add("--group", flags.groups, "NAME=FEATURE,FEATURE…: features that change rows together");
  add("--patch", flags.patch,
      fmt::format("Images: side of the square of pixels that is a group; their values come from "
                  "the same pixels of another image of the task [{}]",
                  interp::kUsualPatch));
  add("--superpixels", flags.superpixels,
      "Images: about so many regions of like pixels as groups, by SLIC on the mean training image, "
      "so that a region is the same pixels in all images");
  add("--strokes", flags.strokes,
      "Drawings: each image's own pieces of line as groups, the largest first, the last with all "
      "smaller ones. Without the pen's path: the ink is thinned and cut where lines meet, so a "
      "stroke that others cross or touch is several pieces");
  add("--bins", flags.bins,
      "One input: so many places along it; the support labels in each, permuted (estimand labels)");
  add("--threads", flags.threads, "0: one per core that the process may use [0]");
}

void add_budget_and_folder_flags(Command command, RunImportanceFlags& flags) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    command.add_option(name, value, help).group(kOfRuns);
  };
  add("--budget", flags.budget,
      "auto: choose tasks (--tasks are the most) and repeats by measured variances and counted "
      "FLOPs");
  add("--half-width", flags.half_width,
      "Of --budget auto: a group stops where its joint band is so narrow, in units of the first "
      "metric [0.01]");
  add("--out", flags.out, "Folder of the results [RUN/importance]");
}

bool is_run(const fs::path& source) {
  std::error_code ignored;
  const fs::path ending = source.extension();
  if (ending == ".yaml" || ending == ".yml") return false;
  return ending == ".h5" || !fs::is_regular_file(source, ignored);
}

void refuse_flags_of_runs(const RunImportanceFlags& f) {
  const bool any = f.checkpoint || f.split || f.out || f.tasks || f.seed || f.repeats || f.patch ||
                   f.superpixels || f.strokes || f.bins || f.threads || f.budget || f.half_width ||
                   f.donors || f.exact || f.curve || !f.estimands.empty() || !f.metrics.empty() ||
                   !f.groups.empty();
  if (!any) return;
  throw BadInput(
      "these flags are for runs, named by their folder or a checkpoint file; a YAML file of a "
      "model of a table takes key=value words, such as repeats=20");
}

interp::RunImportanceSpec run_importance_spec(const std::string& run,
                                              const std::vector<std::string>& words,
                                              const RunImportanceFlags& flags) {
  interp::RunImportanceSpec spec{.run = run, .overrides = words};
  if (flags.out && flags.out->empty()) {
    throw BadInput("--out: expected a folder, got an empty text");
  }
  if (flags.checkpoint) spec.checkpoint = *flags.checkpoint;
  if (flags.split) spec.split = split_of_flag(*flags.split);
  spec.tasks = flags.tasks;
  if (flags.seed) spec.seed = within("--seed", *flags.seed, 0, kGreatestSeed);
  if (flags.repeats) spec.repeats = within("--repeats", *flags.repeats, 1, kMostRepeats);
  spec.patch = flags.patch;
  spec.superpixels = flags.superpixels;
  spec.strokes = flags.strokes;
  spec.budget = budget_of(flags);
  spec.bins = flags.bins;
  spec.exact = flags.exact;
  spec.within_classes = donors_within_class(flags.donors.value_or("any"));
  spec.curve = flags.curve;
  for (const std::string& name : flags.estimands) {
    const interp::Estimand estimand = estimand_named(name);
    if (std::ranges::find(spec.estimands, estimand) == spec.estimands.end()) {
      spec.estimands.push_back(estimand);
    }
  }
  const auto draws = [&](interp::Estimand e) { return !interp::is_certain(e, spec.exact); };
  if (flags.repeats && !spec.estimands.empty() && std::ranges::none_of(spec.estimands, draws)) {
    throw BadInput(
        "--repeats: nothing is drawn, as drop takes means and --exact draws nothing for prior and "
        "query; leave it out");
  }
  spec.metrics = flags.metrics;
  for (const std::string& text : flags.groups) spec.groups.push_back(group_named(text));
  const int64_t threads = within("--threads", flags.threads.value_or(0), 0, 1024);
  spec.threads = ThreadPool(static_cast<int>(threads)).size();
  return spec;
}

fs::path run_importance_folder(const fs::path& run, const RunImportanceFlags& flags) {
  if (flags.out) return *flags.out;
  std::error_code ignored;
  if (fs::is_directory(run, ignored)) return run / "importance";
  return run.parent_path() / (run.stem().string() + "-importance");
}

}  // namespace outerloop::cli
