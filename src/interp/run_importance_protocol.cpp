// What was asked of a run, in plain sentences.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "outerloop/base/counted.h"
#include "outerloop/interp/findings.h"
#include "outerloop/interp/run_importance.h"

namespace outerloop::interp {
namespace {

bool has(const RunImportance& result, std::string_view finding) {
  const auto& found = result.metrics.front().estimands;
  return std::ranges::find(found, finding, &EstimandFinding::name) != found.end();
}

std::string describe_estimands(const RunImportance& result) {
  std::vector<std::string> said;
  for (const FindingKind& kind : finding_kinds()) {
    if (!has(result, kind.name)) continue;
    said.push_back(fmt::format("{}: {}", kind.name, kind.meaning));
    if (kind.name == "query" && result.spec.curve) said.back() += ", and so after each step";
  }
  return fmt::format(
      "A decrease is the score of a task less its score with one group changed; the score of a "
      "loss is the loss negated, so that greater is better. {}. ",
      fmt::join(said, "; "));
}

std::string describe_groups(const RunImportance& result) {
  const RunImportanceSpec& spec = result.spec;
  if (!result.bins.empty()) {
    return fmt::format(
        "Groups: the support points in each of {} places along the input, the outer ones with all "
        "beyond them. ",
        result.bins.size());
  }
  if (result.image[0] == 0) {
    std::vector<std::string> named;
    for (const NamedGroup& group : spec.groups) {
      named.push_back(fmt::format("{} ({})", group.name, fmt::join(group.columns, ", ")));
    }
    if (named.empty()) return "Groups: each input by itself. ";
    const bool is_all = named.size() == result.groups.size();
    return fmt::format("Groups: {}{}. ", fmt::join(named, ", "),
                       is_all ? "" : "; each other input by itself");
  }
  if (spec.superpixels) {
    return fmt::format(
        "Groups: {} superpixels (SLIC on the mean training image), the same pixels in all images. ",
        result.groups.size());
  }
  if (spec.strokes) {
    return "Groups: each image's own pieces of line, the largest first; the ink is thinned and cut "
           "where lines meet, which without the pen's path stands for its strokes. ";
  }
  return fmt::format("Groups: squares of {0} x {0} pixels, named by their row and column. ",
                     spec.patch.value_or(kUsualPatch));
}

// Another data set than the learner's gives training tasks of its own.
std::string describe_training_tasks(const RunImportance& result) {
  const bool uses_them =
      has(result, config::word(Estimand::drop)) || result.spec.superpixels || !result.bins.empty();
  if (!uses_them || result.dataset.empty()) return {};
  return fmt::format("Training tasks are those of {}. ", result.dataset);
}

std::string describe_draws(const RunImportance& result) {
  std::vector<std::string_view> exact, drawn;
  for (int i = 0; !config::choice_word(choice_words(Estimand{}), i).empty(); ++i) {
    const auto estimand = static_cast<Estimand>(i);
    const std::string_view name = config::word(estimand);
    if (estimand == Estimand::drop || !has(result, name)) continue;
    const bool of_queries = estimand == Estimand::prior || estimand == Estimand::query;
    (of_queries && result.spec.exact ? exact : drawn).push_back(name);
  }
  std::string text;
  if (result.spec.within_classes) text = "Drawn values come from rows of the same class alone. ";
  if (!exact.empty()) {
    text += fmt::format("Over all donors, without chance: {}. ", fmt::join(exact, ", "));
  }
  if (result.budget) return text + result.budget->text + " ";
  if (drawn.empty()) return text;
  return text + fmt::format("{} per task and group of {}. ", counted(result.spec.repeats, "draw"),
                            fmt::join(drawn, ", "));
}

// Of the tasks, where a finding has no band.
std::string describe_lack_of_tasks(const RunImportance& result) {
  const auto fewest = static_cast<int64_t>(fewest_tasks_of_band());
  if (result.tasks < fewest) {
    return fmt::format("as {} tasks have too few patterns of signs for 95 %: {} tasks would do",
                       result.tasks, fewest);
  }
  return fmt::format(
      "as {} tasks with so few different values have too few patterns of signs for 95 %: more "
      "tasks would do",
      result.tasks);
}

std::string describe_statistics(const RunImportance& result) {
  size_t findings = 0, with_band = 0;
  for (const MetricFinding& metric : result.metrics) {
    for (const EstimandFinding& finding : metric.estimands) {
      ++findings;
      with_band += finding.has_band() ? 1 : 0;
    }
  }
  std::string text = "The task is the unit: intervals are Student's over tasks; ";
  if (with_band == 0) {
    return text + fmt::format("there is no joint band, {}.", describe_lack_of_tasks(result));
  }
  text += "the band holds for all groups of an estimand together with 95 % (sign flips over tasks)";
  if (with_band == findings) return text + ".";
  return text + fmt::format("; there is none for {} of {} estimands, {}.", findings - with_band,
                            findings, describe_lack_of_tasks(result));
}

}  // namespace

std::string describe_protocol(const RunImportance& result) {
  std::string text = fmt::format(
      "{} ({}) at {}: {} tasks of the {} split, each from {} support rows, scored on {} query rows "
      "after {}, seed {}. ",
      result.algorithm, result.family, result.checkpoint_file.filename().string(), result.tasks,
      name_of(result.spec.split), result.support_rows, result.query_rows,
      counted(result.steps, "step"), *result.spec.seed);
  text += describe_groups(result) + describe_estimands(result) + describe_training_tasks(result) +
          describe_draws(result) + describe_statistics(result);
  if (!result.left_out.empty()) {
    text += fmt::format(
        " Left out, as they ended with a loss above test.diverged_loss or have a value that is not "
        "finite: {}.",
        counted(result.left_out.size(), "task"));
  }
  return text;
}

}  // namespace outerloop::interp
