#include "train/device_data.h"

namespace outerloop::train {

data::DeviceDrawing DeviceData::drawing(const std::shared_ptr<const data::TaskFamily>& family) {
  families_.push_back(family);
  return family->device_drawing([this](std::span<const std::byte> bytes) { return place(bytes); });
}

const std::byte* DeviceData::place(std::span<const std::byte> bytes) {
  exec::DeviceMemory& memory = arrays_[bytes.data()];
  if (memory.bytes != bytes.size()) {
    memory = device_->allocate(bytes.size());
    const exec::DeviceStream stream = device_->make_stream();
    device_->upload(stream, memory.data, bytes);
    device_->synchronize(stream);
  }
  return memory.data;
}

std::shared_ptr<exec::cuda::Images> DeviceData::images(const data::TaskFamily& family) {
  const data::ImageTable table = family.images();
  if (table.pixels.empty()) return nullptr;
  std::shared_ptr<exec::cuda::Images>& images = images_[table.pixels.data()];
  if (!images) {
    images = std::make_shared<exec::cuda::Images>(
        device_, table.pixels, exec::cuda::ImageSize{table.height, table.width, table.channels});
  }
  return images;
}

}  // namespace outerloop::train
