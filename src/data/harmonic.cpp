#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "data/function_checks.h"
#include "data/sine.h"
#include "data/task_stream.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

struct Harmonic {
  float centre = 0;  // of the inputs
  std::array<Sine, 2> sines;
};

class HarmonicFamily final : public TaskFamily {
 public:
  HarmonicFamily(const EpisodeShape& shape, const HarmonicOptions& options)
      : TaskFamily(shape, function_spec(shape)), options_(options) {}

  TaskDescription describe(const TaskKey& key) const override {
    Philox random = task_stream(key);
    const Harmonic task = draw_harmonic(random);
    return {.parameters = {{"centre", task.centre},
                           {"frequency", task.sines[0].frequency},
                           {"amplitude_1", task.sines[0].amplitude},
                           {"amplitude_2", task.sines[1].amplitude},
                           {"phase_1", task.sines[0].phase},
                           {"phase_2", task.sines[1].phase}}};
  }

 private:
  Harmonic draw_harmonic(Philox& random) const {
    Harmonic task;
    task.centre = random.uniform(options_.centre.low, options_.centre.high);
    const float frequency = random.uniform(options_.frequency.low, options_.frequency.high);
    for (size_t i = 0; i < 2; ++i) {
      Sine& sine = task.sines.at(i);
      sine.frequency = static_cast<float>(i + 1) * frequency;
      sine.phase = random.uniform(options_.phase.low, options_.phase.high);
      sine.amplitude = static_cast<float>(random.normal());
    }
    return task;
  }

  void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const override {
    Philox random = task_stream(key);
    const Harmonic task = draw_harmonic(random);
    draw_points(random, task, buffers.support_x, buffers.support_targets);
    draw_points(random, task, buffers.query_x, buffers.query_targets);
  }

  void draw_points(Philox& random, const Harmonic& task, std::span<float> x,
                   std::span<float> y) const {
    for (float& value : x) value = task.centre + static_cast<float>(random.normal());
    std::ranges::fill(y, 0.0F);
    if (options_.noise > 0) {
      for (float& value : y) value = options_.noise * static_cast<float>(random.normal());
    }
    for (const Sine& sine : task.sines) add_sine(sine, x, y);
  }

  HarmonicOptions options_;
};

}  // namespace

std::unique_ptr<TaskFamily> make_harmonic(const EpisodeShape& shape,
                                          const HarmonicOptions& options) {
  check_range("centre", options.centre);
  check_range("frequency", options.frequency);
  check_range("phase", options.phase);
  if (!(options.noise >= 0) || std::isinf(options.noise)) {
    throw BadInput(fmt::format("noise must be a standard deviation >= 0, got {}", options.noise));
  }
  check_argument(2 * largest(options.frequency) *
                     (largest(options.centre) + config::kFurthestNormal) +
                 largest(options.phase));
  return std::make_unique<HarmonicFamily>(shape, options);
}

}  // namespace outerloop::data
