#include "train/device_tasks.h"

namespace outerloop::train {
namespace {

exec::cuda::LaneKernelText text_of(const data::DeviceDrawing& drawing) {
  exec::cuda::LaneKernelText text{.kind = "tasks",
                                  .definitions = {},
                                  .statement = drawing.call + ";",
                                  .operands = static_cast<int>(DeviceTasks::kOperands),
                                  .threads = data::kDrawingThreads,
                                  .scratch_bytes = drawing.scratch_bytes};
  for (const std::string_view header : data::device_drawing_headers()) text.definitions += header;
  return text;
}

}  // namespace

DeviceTasks::DeviceTasks(const std::shared_ptr<exec::Device>& device, DeviceData& device_data,
                         const std::shared_ptr<const data::TaskFamily>& family)
    : DeviceTasks(device, device_data, family, device_data.drawing(family)) {}

DeviceTasks::DeviceTasks(const std::shared_ptr<exec::Device>& device, DeviceData& device_data,
                         const std::shared_ptr<const data::TaskFamily>& family,
                         const data::DeviceDrawing& drawing)
    : family_(family),
      images_(device_data.images(*family)),
      kernel_(device, text_of(drawing)),
      parameters_(device->allocate(drawing.parameters.size())) {
  if (images_) {
    images_->prepare(family->spec().support_x.shape[0]);
    images_->prepare(family->spec().query_x.shape[0]);
  }
  const exec::DeviceStream stream = device->make_stream();
  device->upload(stream, parameters_.data, drawing.parameters);
  device->synchronize(stream);
}

void DeviceTasks::draw(const exec::DeviceStream& stream, int64_t tasks, Operands operands) {
  at(operands, data::DrawingOperand::parameters) = {parameters_.data, 0};
  kernel_.run(stream, tasks, operands);
}

}  // namespace outerloop::train
