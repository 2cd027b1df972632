#include <algorithm>

#include "data/function_checks.h"
#include "data/sine.h"
#include "data/task_stream.h"
#include "outerloop/data/function_families.h"

namespace outerloop::data {
namespace {

class SinusoidFamily final : public TaskFamily {
 public:
  SinusoidFamily(const EpisodeShape& shape, const SinusoidOptions& options)
      : TaskFamily(shape, function_spec(shape)), options_(options) {}

  TaskDescription describe(const TaskKey& key) const override {
    Philox random = task_stream(key);
    const Sine sine = draw_sine(random);
    return {.parameters = {{"amplitude", sine.amplitude}, {"phase", -sine.phase}}};
  }

 private:
  // y = a sin(x - phase)
  Sine draw_sine(Philox& random) const {
    const float amplitude = random.uniform(options_.amplitude.low, options_.amplitude.high);
    const float phase = random.uniform(options_.phase.low, options_.phase.high);
    return {.amplitude = amplitude, .frequency = 1.0F, .phase = -phase};
  }

  void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const override {
    Philox random = task_stream(key);
    const Sine sine = draw_sine(random);
    draw_points(random, sine, buffers.support_x, buffers.support_targets);
    draw_points(random, sine, buffers.query_x, buffers.query_targets);
  }

  void draw_points(Philox& random, const Sine& sine, std::span<float> x, std::span<float> y) const {
    random.fill(x, options_.x.low, options_.x.high);
    std::ranges::fill(y, 0.0F);
    add_sine(sine, x, y);
  }

  SinusoidOptions options_;
};

}  // namespace

std::unique_ptr<TaskFamily> make_sinusoid(const EpisodeShape& shape,
                                          const SinusoidOptions& options) {
  check_range("amplitude", options.amplitude);
  check_range("phase", options.phase);
  check_range("x", options.x);
  check_argument(largest(options.x) + largest(options.phase));
  return std::make_unique<SinusoidFamily>(shape, options);
}

}  // namespace outerloop::data
