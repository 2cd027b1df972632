#include "outerloop/data/family.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

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

void TaskFamily::draw(const TaskKey& key, const EpisodeBuffers& buffers) const {
  require_size("support_x", buffers.support_x, &spec_.support_x);
  require_size("query_x", buffers.query_x, &spec_.query_x);
  require_labels(buffers);
  draw_task(key, buffers);
  draw_minibatches(key, shape_.support_rows(), buffers.minibatches);
}

void TaskFamily::draw_named(const TaskKey& key, const EpisodeBuffers& buffers,
                            std::span<int32_t> support, std::span<int32_t> query) const {
  OL_ASSERT(support.size() == static_cast<size_t>(shape_.support_rows()) &&
                query.size() == static_cast<size_t>(shape_.query_rows()),
            "every row has a name");
  require_labels(buffers);
  draw_task_named(key, buffers, support, query);
  draw_minibatches(key, shape_.support_rows(), buffers.minibatches);
}

void TaskFamily::draw_task_named(const TaskKey&, const EpisodeBuffers&, std::span<int32_t>,
                                 std::span<int32_t>) const {
  OL_ASSERT(false, "only images have names");
}

void TaskFamily::require_labels(const EpisodeBuffers& buffers) const {
  require_size("support_targets", buffers.support_targets, &spec_.support_y);
  require_size("query_targets", buffers.query_targets, &spec_.query_y);
  require_size("support_labels", buffers.support_labels, &spec_.support_y);
  require_size("query_labels", buffers.query_labels, &spec_.query_y);
  require_size("minibatches", buffers.minibatches,
               spec_.minibatches ? &*spec_.minibatches : nullptr);
}

Philox task_stream(const TaskKey& key) {
  constexpr std::array<Purpose, 3> kPurposes = {Purpose::train_task, Purpose::validation_task,
                                                Purpose::test_task};
  return Philox({.seed = key.seed,
                 .purpose = kPurposes[static_cast<size_t>(key.split)],
                 .iteration = key.iteration,
                 .slot = key.slot});
}

void draw_minibatches(const TaskKey& key, int rows, std::span<int32_t> indices) {
  constexpr std::array<Purpose, 3> kPurposes = {
      Purpose::train_minibatch, Purpose::validation_minibatch, Purpose::test_minibatch};
  if (indices.empty()) return;
  Philox random({.seed = key.seed,
                 .purpose = kPurposes[static_cast<size_t>(key.split)],
                 .iteration = key.iteration,
                 .slot = key.slot});
  while (!indices.empty()) {
    const size_t pass = std::min(indices.size(), static_cast<size_t>(rows));
    random.choose(static_cast<uint32_t>(rows), indices.first(pass));
    indices = indices.subspan(pass);
  }
}

}  // namespace outerloop::data
