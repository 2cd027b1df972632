#include "data/drawing/functions.h"
#include "data/drawing/host_dealer.h"
#include "data/drawing/on_device.h"
#include "data/function_checks.h"
#include "data/task_stream.h"
#include "outerloop/data/function_families.h"

namespace outerloop::data {
namespace {

class SinusoidFamily final : public TaskFamily {
 public:
  SinusoidFamily(const EpisodeShape& shape, const SinusoidOptions& options)
      : TaskFamily(shape, function_spec(shape)),
        drawing_{.amplitude = options.amplitude,
                 .phase = options.phase,
                 .x = options.x,
                 .support_rows = static_cast<unsigned>(shape.support_rows()),
                 .query_rows = static_cast<unsigned>(shape.query_rows())} {}

  TaskDescription describe(const TaskKey& key) const override {
    HostDealer dealer(task_stream(key));
    const Sine sine = drawing_.draw_sine(dealer);
    return {.parameters = {{"amplitude", sine.amplitude}, {"phase", -sine.phase}}};
  }

  DeviceDrawing device_drawing(const SendUp&) const override {
    return on_device("SinusoidDrawing", drawing_, shape(), 0);
  }

 private:
  void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const override {
    HostDealer dealer(task_stream(key));
    drawing_.draw(dealer, which_task(key), places_of(buffers), nullptr);
  }

  SinusoidDrawing drawing_;
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
