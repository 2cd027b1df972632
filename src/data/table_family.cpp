#include "outerloop/data/table_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "data/drawing/host_dealer.h"
#include "data/drawing/on_device.h"
#include "data/drawing/tables.h"
#include "data/task_limits.h"
#include "data/task_stream.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

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
  if (is_too_large(shape)) {
    throw BadInput(fmt::format("tasks of {} + {} rows are too large (at most {})", shape.shots,
                               shape.queries, kMostExamples));
  }
  return shape;
}

class TableFamily final : public TaskFamily {
 public:
  TableFamily(std::shared_ptr<const TableSet> set, const EpisodeShape& shape)
      : TaskFamily(shape, table_spec(*set, checked(*set, shape))), set_(std::move(set)) {
    for (const Split split : kSplits) {
      const auto at = static_cast<size_t>(split);
      for (const int32_t task : set_->splits[at]) add_task(task, tasks_[at]);
    }
    for (size_t at = 0; at < tasks_.size(); ++at) {
      drawing_.splits[at] = {.tasks = tasks_[at].data(),
                             .count = static_cast<unsigned>(tasks_[at].size())};
    }
    drawing_.classes = classes_.data();
    drawing_.begin = set_->begin.data();
    drawing_.x = set_->x.data();
    drawing_.y = spec().classification ? nullptr : set_->y.data();
    drawing_.groups = static_cast<unsigned>(set_->groups());
    drawing_.inputs = static_cast<unsigned>(spec().support_x.shape[1]);
    drawing_.ways = static_cast<unsigned>(shape.ways);
    drawing_.shots = static_cast<unsigned>(shape.shots);
    drawing_.queries = static_cast<unsigned>(shape.queries);
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

  std::vector<std::string> task_names(Split split) const override {
    std::vector<std::string> names;
    for (const Task& task : tasks_[static_cast<size_t>(split)]) names.push_back(task_name(task));
    return names;
  }

  TaskDescription describe(const TaskKey& key) const override {
    check(key.split);
    HostDealer dealer(task_stream(key));
    const Task& task = drawing_.choose_task(dealer, which_task(key));
    TaskDescription result{.group = task_name(task)};
    if (!spec().classification) return result;
    std::vector<int32_t> classes(static_cast<size_t>(shape().ways));
    drawing_.choose_classes(dealer, task, classes.data());
    for (const int32_t c : classes) {
      result.class_names.push_back(set_->preparation.classes[static_cast<size_t>(c)]);
    }
    return result;
  }

  DeviceDrawing device_drawing(const SendUp& send_up) const override {
    TableDrawing there = drawing_;
    for (TableDrawing::Tasks& split : there.splits) {
      split.tasks = sent(send_up, split.tasks, split.count);
    }
    there.classes = sent(send_up, there.classes, classes_.size());
    there.begin = sent(send_up, there.begin, set_->begin.size());
    there.x = sent(send_up, there.x, set_->x.size());
    if (there.y != nullptr) there.y = sent(send_up, there.y, set_->y.size());
    return on_device("TableDrawing", there, shape(), there.room());
  }

 private:
  using Task = TableDrawing::Task;

  const std::string& task_name(const Task& task) const {
    return set_->task_names[static_cast<size_t>(task.place)];
  }

  // Unless it has fewer than `ways` classes with rows enough.
  void add_task(int32_t task, std::vector<Task>& tasks) {
    const size_t first = classes_.size();
    for (int32_t c = 0; c < set_->groups(); ++c) {
      if (set_->rows_of(task, c) >= shape().shots + shape().queries) classes_.push_back(c);
    }
    const size_t count = classes_.size() - first;
    if (count < static_cast<size_t>(shape().ways)) {
      classes_.resize(first);
    } else {
      tasks.push_back({.place = task,
                       .first = static_cast<unsigned>(first),
                       .classes = static_cast<unsigned>(count)});
    }
  }

  void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const override {
    if (tasks_[static_cast<size_t>(key.split)].empty()) check(key.split);
    HostDealer dealer(task_stream(key));
    std::array<int32_t, kMostWays + kMostExamples> room;
    drawing_.draw(dealer, which_task(key), places_of(buffers), room.data());
  }

  std::shared_ptr<const TableSet> set_;
  std::array<std::vector<Task>, 3> tasks_;  // with rows enough, by Split
  std::vector<int32_t> classes_;            // with rows enough, of all tasks
  TableDrawing drawing_{};                  // of these
};

}  // namespace

std::unique_ptr<TaskFamily> make_table_family(std::shared_ptr<const TableSet> set,
                                              const EpisodeShape& shape) {
  return std::make_unique<TableFamily>(std::move(set), shape);
}

}  // namespace outerloop::data
