#include "outerloop/data/table_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "data/task_stream.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

constexpr int kMostRows = 4096;  // of one class in a task; bounds the scratch on the stack
constexpr int kMostWays = 4096;

EpisodeSpec table_spec(const TableSet& set, const EpisodeShape& shape) {
  const bool classes = !set.preparation.classes.empty();
  const auto x = [&](int rows) {
    return TensorSpec{DType::f32, {std::max(rows, 0), set.preparation.inputs()}};
  };
  const auto y = [&](int rows) {
    return classes ? TensorSpec{DType::i32, {std::max(rows, 0)}}
                   : TensorSpec{DType::f32, {std::max(rows, 0), 1}};
  };
  return {.support_x = x(shape.support_rows()),
          .support_y = y(shape.support_rows()),
          .query_x = x(shape.query_rows()),
          .query_y = y(shape.query_rows()),
          .classification = classes};
}

const EpisodeShape& checked(const TableSet& set, const EpisodeShape& shape) {
  const bool classes = !set.preparation.classes.empty();
  if (shape.ways > set.groups() || (classes && shape.ways < 2)) {
    throw BadInput(
        classes ? fmt::format("tasks of {} ways: column {} of '{}' has {} classes", shape.ways,
                              set.preparation.target, set.name, set.groups())
                : fmt::format("tasks of {} ways: column {} of '{}' holds numbers: set ways to 1",
                              shape.ways, set.preparation.target, set.name));
  }
  if (shape.ways > kMostWays || shape.shots > kMostRows || shape.queries > kMostRows ||
      shape.shots + shape.queries > kMostRows) {
    throw BadInput(fmt::format("tasks of {} + {} rows are too large (at most {})", shape.shots,
                               shape.queries, kMostRows));
  }
  return shape;
}

class TableFamily final : public TaskFamily {
 public:
  TableFamily(std::shared_ptr<const TableSet> set, const EpisodeShape& shape)
      : TaskFamily(shape, table_spec(*set, checked(*set, shape))), set_(std::move(set)) {
    for (const Split split : kSplits) {
      const auto at = static_cast<size_t>(split);
      for (const int32_t task : set_->splits[at]) {
        if (!classes_of(task).empty()) tasks_[at].push_back({task, classes_of(task)});
      }
    }
  }

  void check(Split split) const override {
    const auto at = static_cast<size_t>(split);
    if (!tasks_[at].empty()) return;
    const std::string rows = spec().classification
                                 ? fmt::format("{} + {} rows of {} classes", shape().shots,
                                               shape().queries, shape().ways)
                                 : fmt::format("{} + {} rows", shape().shots, shape().queries);
    throw BadInput(fmt::format(
        "none of the {} tasks in the {} split of '{}' has {}; set {}.shots or queries lower",
        set_->splits[at].size(), name_of(split), set_->name, rows,
        split == Split::train ? "tasks" : "test"));
  }

  int64_t tasks(Split split) const override {
    return static_cast<int64_t>(tasks_[static_cast<size_t>(split)].size());
  }

  TaskDescription describe(const TaskKey& key) const override {
    check(key.split);
    Philox random = task_stream(key);
    const Task& task = choose_task(random, key);
    TaskDescription result{.group = set_->task_names[static_cast<size_t>(task.place)]};
    if (!spec().classification) return result;
    std::array<int32_t, kMostWays> classes;
    for (const int32_t c : choose_classes(random, task, classes)) {
      result.class_names.push_back(set_->preparation.classes[static_cast<size_t>(c)]);
    }
    return result;
  }

 private:
  struct Task {
    int32_t place = 0;
    std::vector<int32_t> classes;  // with rows enough
  };

  // Empty where there are fewer than `ways`.
  std::vector<int32_t> classes_of(int64_t task) const {
    std::vector<int32_t> classes;
    for (int32_t c = 0; c < set_->groups(); ++c) {
      if (set_->rows_of(task, c) >= shape().shots + shape().queries) classes.push_back(c);
    }
    if (classes.size() < static_cast<size_t>(shape().ways)) classes.clear();
    return classes;
  }

  const Task& choose_task(Philox& random, const TaskKey& key) const {
    const std::vector<Task>& tasks = tasks_[static_cast<size_t>(key.split)];
    const auto count = static_cast<uint32_t>(tasks.size());
    return tasks[key.split == Split::train ? random.below(count) : key.slot % count];
  }

  // In the table's order.
  std::span<int32_t> choose_classes(Philox& random, const Task& task,
                                    std::span<int32_t> room) const {
    const auto chosen = room.first(static_cast<size_t>(shape().ways));
    random.choose(static_cast<uint32_t>(task.classes.size()), chosen);
    std::ranges::sort(chosen);
    for (int32_t& c : chosen) c = task.classes[static_cast<size_t>(c)];
    return chosen;
  }

  void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const override {
    if (tasks_[static_cast<size_t>(key.split)].empty()) check(key.split);
    Philox random = task_stream(key);
    const Task& task = choose_task(random, key);
    std::array<int32_t, kMostWays> classes;
    std::array<int32_t, kMostRows> room;
    const auto shots = static_cast<size_t>(shape().shots);
    const auto queries = static_cast<size_t>(shape().queries);
    const auto rows = std::span(room).first(shots + queries);
    size_t label = 0;
    for (const int32_t c : choose_classes(random, task, classes)) {
      random.choose(static_cast<uint32_t>(set_->rows_of(task.place, c)), rows);
      const int64_t first = set_->begin[static_cast<size_t>(task.place * set_->groups() + c)];
      copy_rows(first, rows.first(shots), label * shots, buffers.support_x,
                buffers.support_targets);
      copy_rows(first, rows.last(queries), label * queries, buffers.query_x, buffers.query_targets);
      if (spec().classification) {
        const auto value = static_cast<int32_t>(label);
        std::ranges::fill(buffers.support_labels.subspan(label * shots, shots), value);
        std::ranges::fill(buffers.query_labels.subspan(label * queries, queries), value);
      }
      ++label;
    }
  }

  void copy_rows(int64_t first, std::span<const int32_t> rows, size_t target, std::span<float> x,
                 std::span<float> y) const {
    const auto inputs = static_cast<size_t>(spec().support_x.shape[1]);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<size_t>(first + rows[i]);
      std::ranges::copy(std::span(set_->x).subspan(row * inputs, inputs),
                        x.subspan((target + i) * inputs).begin());
      if (!y.empty()) y[target + i] = set_->y[row];
    }
  }

  std::shared_ptr<const TableSet> set_;
  std::array<std::vector<Task>, 3> tasks_;  // with rows enough, by Split
};

}  // namespace

std::unique_ptr<TaskFamily> make_table_family(std::shared_ptr<const TableSet> set,
                                              const EpisodeShape& shape) {
  return std::make_unique<TableFamily>(std::move(set), shape);
}

}  // namespace outerloop::data
