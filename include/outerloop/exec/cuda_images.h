#pragma once
// Images that lie on a device as bytes, and how tasks get them from there.

#include <memory>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

struct ImageSize {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  int64_t pixels() const { return height * width * channels; }
};

class Images {
 public:
  // Copies (image, height, width, channels) up, and waits for it.
  Images(std::shared_ptr<Device> device, std::span<const uint8_t> pixels, const ImageSize& size);
  ~Images();

  // Compiles what run() needs for so many rows.
  void prepare(int64_t rows);
  // Writes per lane `rows` images as float32 (row, height, width, channels), each byte divided by
  // 255. `names`, int32 (row,) per lane: image * 4 + quarter turns counter-clockwise; only square
  // images turn. Can be recorded.
  void run(const DeviceStream& stream, int64_t lanes, int64_t rows, const DeviceOperand& names,
           const DeviceOperand& values);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
