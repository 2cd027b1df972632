#include <fmt/format.h>

#include <cmath>

#include "data/drawing/functions.h"
#include "data/drawing/host_dealer.h"
#include "data/drawing/on_device.h"
#include "data/function_checks.h"
#include "data/task_stream.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

class HarmonicFamily final : public TaskFamily {
 public:
  HarmonicFamily(const EpisodeShape& shape, const HarmonicOptions& options)
      : TaskFamily(shape, function_spec(shape)),
        drawing_{.centre = options.centre,
                 .frequency = options.frequency,
                 .phase = options.phase,
                 .noise = options.noise,
                 .support_rows = static_cast<unsigned>(shape.support_rows()),
                 .query_rows = static_cast<unsigned>(shape.query_rows())} {}

  TaskDescription describe(const TaskKey& key) const override {
    HostDealer dealer(task_stream(key));
    const Harmonic task = drawing_.draw_harmonic(dealer);
    return {.parameters = {{"centre", task.centre},
                           {"frequency", task.first.frequency},
                           {"amplitude_1", task.first.amplitude},
                           {"amplitude_2", task.second.amplitude},
                           {"phase_1", task.first.phase},
                           {"phase_2", task.second.phase}}};
  }

  DeviceDrawing device_drawing(const SendUp&) const override {
    return on_device("HarmonicDrawing", drawing_, shape(), 0);
  }

 private:
  void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const override {
    HostDealer dealer(task_stream(key));
    drawing_.draw(dealer, which_task(key), places_of(buffers), nullptr);
  }

  HarmonicDrawing drawing_;
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
