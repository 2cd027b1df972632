// Images that a device fetches from its own bytes: turned and scaled as the host's.

#include <gtest/gtest.h>

#include <cstring>

#include "exec/cuda/test_device.h"
#include "outerloop/exec/cuda_images.h"

namespace outerloop::exec::cuda {
namespace {

struct Case {
  ImageSize size;
  int turns;
};

uint8_t byte_of(size_t i) {
  return static_cast<uint8_t>(i * 2654435761U >> 13);
}

// Element (row, column) of an image turned counter-clockwise: that of the image turned once less at
// (column, last - row).
size_t source_of(const ImageSize& size, int turns, int64_t row, int64_t column) {
  for (; turns > 0; --turns) {
    const int64_t old_row = column;
    column = size.width - 1 - row;
    row = old_row;
  }
  return static_cast<size_t>(row * size.width + column);
}

TEST(Images, AreTurnedAndScaledExactly) {
  const auto device = testing_support::test_device();
  const DeviceStream stream = device->make_stream();
  for (const Case& c :
       std::vector<Case>{{{5, 5, 1}, 4}, {{28, 28, 1}, 4}, {{7, 7, 3}, 4}, {{6, 4, 3}, 1}}) {
    constexpr int64_t kImages = 7, kLanes = 3, kRows = 5;
    const auto pixels = static_cast<size_t>(c.size.pixels());
    std::vector<uint8_t> bytes(kImages * pixels);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = byte_of(i);
    Images images(device, bytes, c.size);
    std::vector<int32_t> names(kLanes * kRows);
    for (size_t i = 0; i < names.size(); ++i) {
      names[i] = static_cast<int32_t>(i * 3 % kImages * 4 + i % static_cast<size_t>(c.turns));
    }
    std::vector<float> values(names.size() * pixels);
    const DeviceMemory d_names = device->allocate(names.size() * sizeof(int32_t));
    const DeviceMemory d_values = device->allocate(values.size() * sizeof(float));
    images.prepare(kRows);
    device->upload(stream, d_names.data, std::as_bytes(std::span(names)));
    images.run(stream, kLanes, kRows, {d_names.data, kRows * sizeof(int32_t)},
               {d_values.data, static_cast<int64_t>(kRows * pixels * sizeof(float))});
    device->download(stream, std::as_writable_bytes(std::span(values)), d_values.data);
    device->synchronize(stream);
    const auto channels = static_cast<size_t>(c.size.channels);
    for (size_t i = 0; i < values.size(); ++i) {
      const int32_t name = names[i / pixels];
      const size_t pixel = i % pixels / channels;
      const size_t source = source_of(c.size, name % 4, static_cast<int64_t>(pixel) / c.size.width,
                                      static_cast<int64_t>(pixel) % c.size.width);
      const auto image = static_cast<size_t>(name / 4);
      const uint8_t byte = bytes[image * pixels + source * channels + i % channels];
      ASSERT_EQ(values[i], static_cast<float>(byte) / 255.0F)
          << c.size.height << " x " << c.size.width << " x " << c.size.channels << ", " << i;
    }
  }
}

}  // namespace
}  // namespace outerloop::exec::cuda
