#include "outerloop/data/family.h"

#include <fmt/format.h>

#include "data/drawing/host_dealer.h"
#include "data/task_stream.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"

namespace outerloop::data {
namespace {

void require_positive(const char* what, int value) {
  if (value < 1) throw BadInput(fmt::format("{} must be at least 1, got {}", what, value));
}

template <class T>
void require_size(const char* what, std::span<T> buffer, const TensorSpec* spec) {
  const size_t expected = spec == nullptr || spec->dtype != dtype_of<T>
                              ? 0
                              : static_cast<size_t>(spec->shape.elements());
  OL_ASSERT(buffer.size() == expected,
            fmt::format("the buffer {} needs {} values, has {}", what, expected, buffer.size()));
}

}  // namespace

TaskFamily::TaskFamily(const EpisodeShape& shape, const EpisodeSpec& spec)
    : shape_(shape), spec_(spec) {
  require_positive("ways", shape.ways);
  require_positive("shots", shape.shots);
  require_positive("queries", shape.queries);
  if (shape.minibatch_steps != 0 || shape.minibatch_rows != 0) {
    require_positive("minibatch_steps", shape.minibatch_steps);
    require_positive("minibatch_rows", shape.minibatch_rows);
    spec_.minibatches = TensorSpec{DType::i32, {shape.minibatch_steps, shape.minibatch_rows}};
  }
}

void TaskFamily::check(Split) const {}
int64_t TaskFamily::tasks(Split) const {
  return 0;
}
std::vector<std::string> TaskFamily::task_names(Split) const {
  return {};
}

void TaskFamily::draw(const TaskKey& key, const EpisodeBuffers& buffers) const {
  require_size("support_x", buffers.support_x, &spec_.support_x);
  require_size("query_x", buffers.query_x, &spec_.query_x);
  require_labels(buffers);
  draw_task(key, buffers);
  draw_minibatches(key, shape_.support_rows(), buffers.minibatches);
}

DeviceDrawing TaskFamily::device_drawing(const SendUp&) const {
  throw BadInput(
      "tasks of this family are drawn by the processor alone: set runtime.device to cpu");
}

void TaskFamily::require_labels(const EpisodeBuffers& buffers) const {
  require_size("support_targets", buffers.support_targets, &spec_.support_y);
  require_size("query_targets", buffers.query_targets, &spec_.query_y);
  require_size("support_labels", buffers.support_labels, &spec_.support_y);
  require_size("query_labels", buffers.query_labels, &spec_.query_y);
  require_size("minibatches", buffers.minibatches,
               spec_.minibatches ? &*spec_.minibatches : nullptr);
}

namespace {

// One after the other, by split.
Purpose purpose_of(Purpose of_train, Split split) {
  static_assert(static_cast<int>(Purpose::test_task) == static_cast<int>(Purpose::train_task) + 2);
  static_assert(static_cast<int>(Purpose::test_minibatch) ==
                static_cast<int>(Purpose::train_minibatch) + 2);
  return static_cast<Purpose>(static_cast<int>(of_train) + static_cast<int>(split));
}

Philox stream_of(const TaskKey& key, Purpose of_train) {
  return Philox({.seed = key.seed,
                 .purpose = purpose_of(of_train, key.split),
                 .iteration = key.iteration,
                 .slot = key.slot});
}

}  // namespace

Philox task_stream(const TaskKey& key) {
  return stream_of(key, Purpose::train_task);
}

LaneKey lane_key(const TaskKey& key) {
  const auto purpose = [&](Purpose of_train) {
    return static_cast<unsigned>(purpose_of(of_train, key.split));
  };
  return {.seed = {static_cast<unsigned>(key.seed), static_cast<unsigned>(key.seed >> 32)},
          .iteration = {static_cast<unsigned>(key.iteration),
                        static_cast<unsigned>(key.iteration >> 32)},
          .slot = key.slot,
          .split = static_cast<unsigned>(key.split),
          .task_purpose = purpose(Purpose::train_task),
          .minibatch_purpose = purpose(Purpose::train_minibatch)};
}

void draw_minibatches(const TaskKey& key, int rows, std::span<int32_t> indices) {
  if (indices.empty()) return;
  HostDealer dealer(stream_of(key, Purpose::train_minibatch));
  draw_passes(dealer, static_cast<unsigned>(rows), indices.data(),
              static_cast<unsigned>(indices.size()));
}

}  // namespace outerloop::data
