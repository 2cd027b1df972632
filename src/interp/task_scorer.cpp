#include "outerloop/interp/task_scorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "interp/group_inputs.h"
#include "interp/task_columns.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/interp/exchange.h"

namespace outerloop::interp {
namespace {

const ChangedRows kUntouched;
constexpr double kUnscored = std::numeric_limits<double>::quiet_NaN();

// A task has two streams of permutations: of its queries and of its support.
uint64_t query_stream(uint64_t task) {
  return 2 * task;
}
uint64_t support_stream(uint64_t task) {
  return 2 * task + 1;
}

std::vector<double> targets_of(const data::Episode& episode) {
  const Tensor& y = episode.query_y;
  if (y.dtype() == DType::f32) {
    return {y.as<float>().begin(), y.as<float>().end()};
  }
  return {y.as<int32_t>().begin(), y.as<int32_t>().end()};
}

}  // namespace

struct TaskScorer::Impl {
  // Several copies of the queries wait until they fill a call.
  struct Copy {
    size_t group = 0;
    int64_t repeat = 0;
  };

  Impl(const TaskScoring& s, TaskLearner& l, const data::EpisodeSpec& spec, Donors d)
      : scoring(s),
        learner(l),
        donors(std::move(d)),
        columns(scoring, learner.steps()),
        support_inputs(scoring),
        query_inputs(scoring) {
    support_rows = static_cast<size_t>(spec.support_x.shape[0]);
    query_rows = static_cast<size_t>(spec.query_x.shape[0]);
    inputs = static_cast<size_t>(spec.query_x.shape.elements()) / query_rows;
    check();
    baselines.resize(static_cast<size_t>(learner.steps()) + 1);
  }

  // Of a group, on average.
  size_t mean_inputs() const {
    if (scoring.lines) return inputs / scoring.groups.size();
    size_t sum = 0;
    for (const FeatureGroup& group : scoring.groups) sum += group.columns.size();
    return sum / std::max<size_t>(1, scoring.groups.size());
  }

  bool wants(Estimand estimand) const {
    return std::ranges::find(scoring.estimands, estimand) != scoring.estimands.end();
  }

  void check() const {
    if (wants(Estimand::prior) && learner.steps() == 0) {
      throw BadInput(
          "importance: the learner takes no inner steps, so it has no prior that answers "
          "by itself; leave out the estimand prior");
    }
    if (wants(Estimand::drop) && scoring.means.size() != inputs) {
      throw BadInput(
          fmt::format("importance: drop needs {} means, got {}", inputs, scoring.means.size()));
    }
    if (scoring.within_classes) check_classes();
    if (!scoring.exact) return;
    if (learner.couples_rows()) {
      throw BadInput(
          "importance: exact mode needs answers that do not depend on the other queries, and batch "
          "norm couples them; leave exact off");
    }
    for (const Metric& metric : scoring.metrics) {
      if (metric.mean_over_rows) continue;
      throw BadInput(
          fmt::format("importance: exact mode needs metrics that are means over rows, "
                      "and {} is none; leave exact off",
                      metric.name));
    }
  }

  void check_classes() const {
    const bool changes_support = wants(Estimand::support) || wants(Estimand::support_query);
    const bool changes_queries =
        wants(Estimand::prior) || wants(Estimand::query) || wants(Estimand::support_query);
    if (wants(Estimand::across)) {
      throw BadInput(
          "importance: across has donors of other tasks, whose classes are others; leave across "
          "out, or give donors of any class");
    }
    if ((changes_support && support_rows <= learner.width()) ||
        (changes_queries && query_rows <= learner.width())) {
      throw BadInput(fmt::format(
          "importance: donors of the row's class want two rows of a class in a set, and a task has "
          "{} support rows and {} queries of {} classes; raise test.shots or "
          "test.queries, or leave out the estimands of that set",
          support_rows, query_rows, learner.width()));
    }
  }

  // ---- One task ---------------------------------------------------------------------------

  void score(const data::Episode& episode, uint64_t task, std::span<double> values) {
    targets = targets_of(episode);
    support = episode.support_x.as<float>();
    query = episode.query_x.as<float>();
    task_ = task;
    values_ = values;
    std::ranges::fill(values, 0.0);
    support_inputs.look_at(support);
    query_inputs.look_at(query);
    const double work_before = learner.work();
    learner.begin(episode);
    learner.adapt(support);
    score_baselines();
    if (has_diverged()) {
      // The scores after the last step, and all decreases.
      const size_t steps_before = baselines.size() - 1;
      std::ranges::fill(values.subspan(steps_before * scoring.metrics.size()), kUnscored);
    } else {
      score_copies(episode);
    }
    done.flops += learner.work() - work_before;
  }

  void score_copies(const data::Episode& episode) {
    draw(episode);
    score_query_parts();
    if (wants(Estimand::across)) score_across();
    if (wants(Estimand::support) || wants(Estimand::support_query)) score_support();
    if (wants(Estimand::drop)) score_drop();
    if (wants(Estimand::labels)) score_labels(episode);
  }

  // By the loss of the untouched queries after the last step, which were answered last: as
  // evaluations count it, the squared error or the cross-entropy.
  bool has_diverged() const {
    const size_t width = learner.width();
    double sum = 0;
    for (size_t row = 0; row < query_rows; ++row) {
      const auto said = std::span<const double>(predictions).subspan(row * width, width);
      sum += width == 1 ? std::pow(said[0] - targets[row], 2)
                        : -std::log(said[static_cast<size_t>(targets[row])]);
    }
    const double loss = sum / static_cast<double>(query_rows);
    return !std::isfinite(loss) || loss > scoring.diverged_loss;
  }

  // Of the copies that were asked about last.
  void answer(int64_t step, size_t sets) {
    const size_t rows = sets * query_rows;
    predictions.resize(rows * learner.width());
    learner.answer(step, predictions);
    done.rows += static_cast<int64_t>(rows);
  }

  // Decreases of copies that are equal to the original: they stay 0.
  void spare(size_t cells) {
    done.cells += static_cast<int64_t>(cells);
    done.spared += static_cast<int64_t>(cells);
  }

  void score_baselines() {
    size_t column = 0;
    learner.ask(std::span(&kUntouched, 1));
    for (size_t step = 0; step < baselines.size(); ++step) {
      answer(static_cast<int64_t>(step), 1);
      baselines[step] = scores_of(predictions);
      for (const double value : baselines[step]) values_[column++] = value;
    }
    class_baselines = class_scores_of(predictions);
  }

  // Per metric, of one copy of the queries after the last step.
  std::vector<double> scores_of_copy(const ChangedRows& copy) {
    learner.ask(std::span(&copy, 1));
    answer(learner.steps(), 1);
    return scores_of(predictions);
  }

  // By the first metric, of each class's rows alone.
  std::vector<double> class_scores_of(std::span<const double> answers) const {
    std::vector<double> scores;
    const size_t width = learner.width();
    for (int64_t label = 0; label < scoring.classes; ++label) {
      std::vector<double> own, truth;
      for (size_t row = 0; row < query_rows; ++row) {
        if (targets[row] != static_cast<double>(label)) continue;
        truth.push_back(targets[row]);
        const auto from = answers.subspan(row * width, width);
        own.insert(own.end(), from.begin(), from.end());
      }
      scores.push_back(scoring.metrics.front().score(truth, {own, width}, {}));
    }
    return scores;
  }

  void put_classes(const Copy& copy, std::span<const double> answers, double share) {
    const std::vector<double> scores = class_scores_of(answers);
    const size_t at = columns.place_of_classes(copy.group);
    for (size_t c = 0; c < scores.size(); ++c) {
      values_[at + c] += share * (class_baselines[c] - scores[c]);
    }
  }

  // By all metrics or by none: some have a score for answers that are no numbers.
  std::vector<double> scores_of(std::span<const double> answers) const {
    if (!std::ranges::all_of(answers, [](double value) { return std::isfinite(value); })) {
      return std::vector<double>(scoring.metrics.size(), kUnscored);
    }
    std::vector<double> scores;
    for (const Metric& metric : scoring.metrics) {
      scores.push_back(metric.score(targets, {answers, learner.width()}, {}));
    }
    return scores;
  }

  // The rows' classes where donors are of them.
  std::vector<double> classes_of(const Tensor& labels) const {
    if (!scoring.within_classes) return {};
    return {labels.as<int32_t>().begin(), labels.as<int32_t>().end()};
  }

  void draw(const data::Episode& episode) {
    const auto repeats = static_cast<size_t>(scoring.repeats);
    const auto draws = [&](uint64_t stream, size_t rows, const Tensor& labels) {
      const Exchange exchange = keyed_exchange(
          {.seed = scoring.seed, .task = stream, .rows = rows, .samples = rows, .repeats = repeats},
          classes_of(labels));
      std::vector<std::vector<uint32_t>> all;
      for (size_t k = 0; k < repeats; ++k) all.push_back(exchange.donors(k));
      return all;
    };
    query_donors = draws(query_stream(task_), query_rows, episode.query_y);
    support_donors = draws(support_stream(task_), support_rows, episode.support_y);
    exact_donors = scoring.exact ? every_donor(classes_of(episode.query_y)) : query_donors;
  }

  // The mean over all shifts of the rows, of each class by itself, is the expectation of a mean
  // over rows: each meets all donors equally often.
  std::vector<std::vector<uint32_t>> every_donor(const std::vector<double>& classes) const {
    std::map<double, std::vector<uint32_t>> pools;
    for (uint32_t row = 0; row < query_rows; ++row) {
      pools[classes.empty() ? 0 : classes[row]].push_back(row);
    }
    size_t shifts = 1;
    for (const auto& [label, pool] : pools) shifts = std::lcm(shifts, pool.size());
    std::vector<std::vector<uint32_t>> all(shifts, std::vector<uint32_t>(query_rows));
    for (size_t shift = 0; shift < shifts; ++shift) {
      for (const auto& [label, pool] : pools) {
        for (size_t i = 0; i < pool.size(); ++i) {
          all[shift][pool[i]] = pool[(i + shift) % pool.size()];
        }
      }
    }
    return all;
  }

  template <class Take>
  void flush(std::span<const int64_t> steps, Take take) {
    if (waiting.empty()) return;
    learner.ask(asked);
    for (const int64_t step : steps) {
      answer(step, waiting.size());
      const size_t size = query_rows * learner.width();
      for (size_t c = 0; c < waiting.size(); ++c) {
        const auto answers = std::span(predictions).subspan(c * size, size);
        take(step, waiting[c], scores_of(answers), answers);
      }
    }
    waiting.clear();
    asked.clear();
  }

  // A copy of the queries with values from `source`. It waits, if it is not the original.
  template <class Take>
  void add_copy(const Copy& copy, std::span<const uint32_t> from, std::span<const float> source,
                std::span<const int64_t> steps, Take take) {
    const ChangedRows changed{query_inputs.of(copy.group), from, source};
    if (!differs(changed, query, inputs)) return spare(steps.size());
    done.cells += static_cast<int64_t>(steps.size());
    waiting.push_back(copy);
    asked.push_back(changed);
    if (waiting.size() == learner.most_sets()) flush(steps, take);
  }

  void put(const TaskPart* part, const Copy& copy, std::span<const double> scores,
           double share = 1) {
    if (part == nullptr) return;
    const std::vector<double>& base = baselines[static_cast<size_t>(part->step)];
    const size_t at = columns.place(*part, copy.group, part->repeats == 1 ? 0 : copy.repeat);
    for (size_t m = 0; m < scores.size(); ++m) values_[at + m] += share * (base[m] - scores[m]);
  }

  void score_query_parts() {
    std::vector<int64_t> steps;
    for (const TaskPart& part : columns.parts()) {
      const bool is_query = part.estimand == Estimand::query || part.estimand == Estimand::prior;
      if (is_query && std::ranges::find(steps, part.step) == steps.end()) {
        steps.push_back(part.step);
      }
    }
    if (steps.empty()) return;
    const double of_draw = 1 / static_cast<double>(exact_donors.size());
    const double share = scoring.exact ? of_draw : 1;
    const auto take = [&](int64_t step, const Copy& copy, const std::vector<double>& scores,
                          std::span<const double> answers) {
      put(columns.part_of(Estimand::query, step), copy, scores, share);
      put(columns.part_of(Estimand::prior, step), copy, scores, share);
      if (step == learner.steps()) put_classes(copy, answers, of_draw);
    };
    for (size_t g = 0; g < scoring.groups.size(); ++g) {
      for (size_t r = 0; r < exact_donors.size(); ++r) {
        add_copy({g, static_cast<int64_t>(r)}, exact_donors[r], query, steps, take);
      }
    }
    flush(steps, take);
  }

  void score_across() {
    const std::vector<int64_t> steps{learner.steps()};
    const auto take = [&](int64_t step, const Copy& copy, const std::vector<double>& scores,
                          std::span<const double>) {
      put(columns.part_of(Estimand::across, step), copy, scores);
    };
    const auto repeats = static_cast<size_t>(scoring.repeats);
    const size_t copies = std::max<size_t>(1, scoring.groups.size());
    // The repeats whose copies fill a call wait together.
    const size_t together = std::min(repeats, (learner.most_sets() + copies - 1) / copies);
    std::vector<float> foreign(together * query.size());
    std::vector<uint32_t> places(query_rows);
    std::iota(places.begin(), places.end(), 0);
    for (size_t first = 0; first < repeats; first += together) {
      for (size_t r = first; r < std::min(repeats, first + together); ++r) {
        const auto rows = std::span(foreign).subspan((r - first) * query.size(), query.size());
        take_foreign(r, rows);
        for (size_t g = 0; g < scoring.groups.size(); ++g) {
          add_copy({g, static_cast<int64_t>(r)}, places, rows, steps, take);
        }
      }
      flush(steps, take);
    }
  }

  // Each row is one of another task's queries, at the same place.
  void take_foreign(size_t repeat, std::span<float> rows) {
    for (size_t row = 0; row < query_rows; ++row) {
      const data::Episode& other = donors(task_, repeat * query_rows + row);
      std::ranges::copy(other.query_x.as<float>().subspan(row * inputs, inputs),
                        rows.subspan(row * inputs).begin());
    }
  }

  // Each (group, repeat) adapts anew, first those whose support set stays what it was.
  void score_support() {
    std::vector<float> changed(support.size());
    for (const bool changes : {false, true}) {
      for (size_t g = 0; g < scoring.groups.size(); ++g) {
        for (int64_t r = 0; r < scoring.repeats; ++r) {
          const ChangedRows copy{support_inputs.of(g), support_donors[static_cast<size_t>(r)],
                                 support};
          if (differs(copy, support, inputs) != changes) continue;
          if (changes) {
            write(copy, support, inputs, changed);
            learner.adapt(changed);
          }
          score_of_support({g, r}, changes);
        }
      }
    }
  }

  // With the learner as it has adapted to the copy of the support set.
  void score_of_support(const Copy& copy, bool support_changes) {
    if (wants(Estimand::support)) {
      if (!support_changes)
        spare(1);
      else
        put_one(Estimand::support, copy, kUntouched);
    }
    if (!wants(Estimand::support_query)) return;
    const ChangedRows asked_now{query_inputs.of(copy.group),
                                query_donors[static_cast<size_t>(copy.repeat)], query};
    if (!support_changes && !differs(asked_now, query, inputs)) return spare(1);
    put_one(Estimand::support_query, copy, asked_now);
  }

  void put_one(Estimand estimand, const Copy& copy, const ChangedRows& queries) {
    ++done.cells;
    put(columns.part_of(estimand, learner.steps()), copy, scores_of_copy(queries));
  }

  void score_drop() {
    const std::vector<uint32_t> from(std::max(support_rows, query_rows), 0);
    const auto masked = [&](const GroupInputs& of, size_t group, size_t rows) {
      return ChangedRows{of.of(group), std::span(from).first(rows), scoring.means};
    };
    std::vector<float> masked_support(support.size());
    for (size_t g = 0; g < scoring.groups.size(); ++g) {
      const ChangedRows of_support = masked(support_inputs, g, support_rows);
      const ChangedRows of_query = masked(query_inputs, g, query_rows);
      if (!differs(of_support, support, inputs) && !differs(of_query, query, inputs)) {
        spare(1);
        continue;
      }
      write(of_support, support, inputs, masked_support);
      learner.adapt(masked_support);
      put_one(Estimand::drop, {g, 0}, of_query);
    }
  }

  // A point in the bin gets the label of a point by the draw; a bin without points changes nothing.
  void score_labels(const data::Episode& episode) {
    const auto labels = episode.support_y.as<float>();
    std::vector<float> changed(labels.size());
    for (size_t g = 0; g < scoring.bins.size(); ++g) {
      for (int64_t r = 0; r < scoring.repeats; ++r) {
        const auto& from = support_donors[static_cast<size_t>(r)];
        std::ranges::copy(labels, changed.begin());
        for (size_t row = 0; row < labels.size(); ++row) {
          const float x = support[row];
          const bool is_in = scoring.bins[g].low <= x && x < scoring.bins[g].high;
          if (is_in) changed[row] = labels[from[row]];
        }
        if (std::ranges::equal(changed, labels)) {
          spare(1);
          continue;
        }
        learner.relabel(changed);
        learner.adapt(support);
        put_one(Estimand::labels, {g, r}, kUntouched);
      }
    }
  }

  const TaskScoring scoring;
  TaskLearner& learner;
  Donors donors;
  size_t support_rows = 0, query_rows = 0, inputs = 0;
  TaskColumns columns;
  TaskWork done;

  // Of the task at hand.
  uint64_t task_ = 0;
  std::span<double> values_;
  std::vector<double> targets;
  std::span<const float> support, query;
  GroupInputs support_inputs, query_inputs;
  std::vector<std::vector<double>> baselines;  // by step, by metric
  std::vector<double> class_baselines;
  std::vector<std::vector<uint32_t>> query_donors, support_donors, exact_donors;  // by repeat
  std::vector<Copy> waiting;
  std::vector<ChangedRows> asked;  // what is waiting
  std::vector<double> predictions;
};

TaskScorer::TaskScorer(const TaskScoring& scoring, TaskLearner& learner,
                       const data::EpisodeSpec& spec, Donors donors)
    : impl_(std::make_unique<Impl>(scoring, learner, spec, std::move(donors))) {}
TaskScorer::~TaskScorer() = default;

const std::vector<TaskColumn>& TaskScorer::columns() const {
  return impl_->columns.all();
}

std::string TaskScorer::name_of(const TaskColumn& column) const {
  const std::string_view metric = impl_->scoring.metrics[column.metric].name;
  if (column.is_baseline) return fmt::format("{}/baseline@{}", metric, column.step);
  if (column.label >= 0) {
    return fmt::format("{}/class{}/{}", metric, column.label,
                       impl_->scoring.groups[column.group].name);
  }
  return fmt::format("{}/{}@{}/{}/{}", metric, config::word(column.estimand), column.step,
                     impl_->scoring.groups[column.group].name, column.repeat);
}

TaskCosts TaskScorer::costs() const {
  const TaskScoring& scoring = impl_->scoring;
  const TaskLearner& learner = impl_->learner;
  const double adapt = learner.adapt_cost();
  const double untouched = learner.first_answer_cost() + learner.answer_cost(0);
  const double copy = learner.answer_cost(impl_->mean_inputs());
  const size_t pools = scoring.within_classes ? learner.width() : 1;
  const auto exact_sets = static_cast<double>(impl_->query_rows / pools);
  TaskCosts costs{.per_task = adapt + static_cast<double>(impl_->baselines.size()) * untouched,
                  .per_repeat = 0};
  for (const TaskPart& part : impl_->columns.parts()) {
    const Estimand estimand = part.estimand;
    const bool of_query = estimand == Estimand::prior || estimand == Estimand::query;
    const double sets = of_query && scoring.exact ? exact_sets : 1;
    const bool adapts = estimand == Estimand::drop || estimand == Estimand::labels;
    const bool is_untouched = estimand == Estimand::support || estimand == Estimand::labels;
    costs.per_repeat += is_untouched ? untouched : sets * copy;
    if (adapts) costs.per_repeat += adapt;
    if (estimand == Estimand::drop) costs.per_repeat += learner.first_answer_cost();
  }
  if (impl_->wants(Estimand::support) || impl_->wants(Estimand::support_query)) {
    costs.per_repeat += adapt;
    if (!impl_->wants(Estimand::support)) costs.per_repeat += learner.first_answer_cost();
  }
  return costs;
}

const TaskWork& TaskScorer::work() const {
  return impl_->done;
}

void TaskScorer::score(const data::Episode& episode, uint64_t task, std::span<double> values) {
  impl_->score(episode, task, values);
}

}  // namespace outerloop::interp
