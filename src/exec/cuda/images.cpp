#include "exec/cuda/images.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <utility>

#include "exec/cuda/single_kernel.h"
#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {

// Row r and column c of a turned image come from: 1: row c, column n - 1 - r; 2: row n - 1 - r,
// column n - 1 - c; 3: row n - 1 - c, column r.
KernelCode images_kernel(const ImageSize& size, int64_t rows) {
  const std::string body = fmt::format(
      "const unsigned within = e % {bytes}U;\n"
      "const unsigned pixel = within / {channels}U, channel = within % {channels}U;\n"
      "const unsigned row = pixel / {width}U, column = pixel % {width}U;\n"
      "const unsigned name = p.get<const unsigned>(1)[e / {bytes}U];\n"
      "unsigned source = pixel;\n"
      "if (name % 4 == 1) source = column * {width}U + {width}U - 1 - row;\n"
      "if (name % 4 == 2) source = {width}U * {width}U - 1 - pixel;\n"
      "if (name % 4 == 3) source = ({width}U - 1 - column) * {width}U + row;\n"
      "const unsigned char byte = p.get<const unsigned char>(0)\n"
      "    [name / 4 * {bytes}ULL + source * {channels}U + channel];\n"
      "p.get<float>(2)[e] = __fdiv_rn(static_cast<float>(byte), 255.0f);\n",
      fmt::arg("bytes", size.pixels()), fmt::arg("channels", size.channels),
      fmt::arg("width", size.width));
  KernelCode code = element_kernel(3, rows * size.pixels(), Team{}, body);
  code.kind = "images";
  return code;
}

struct Images::Impl {
  std::shared_ptr<Device> device;
  ImageSize size;
  DeviceMemory images;
  std::map<int64_t, SingleKernel> kernels;  // by their number of rows
};

Images::Images(std::shared_ptr<Device> device, std::span<const uint8_t> pixels,
               const ImageSize& size)
    : impl_(std::make_unique<Impl>()) {
  impl_->device = std::move(device);
  impl_->size = size;
  impl_->images = impl_->device->allocate(pixels.size());
  const DeviceStream stream = impl_->device->make_stream();
  impl_->device->upload(stream, impl_->images.data, std::as_bytes(pixels));
  impl_->device->synchronize(stream);
}
Images::~Images() = default;

void Images::prepare(int64_t rows) {
  if (impl_->kernels.contains(rows)) return;
  impl_->kernels.try_emplace(rows, impl_->device, images_kernel(impl_->size, rows));
}

void Images::run(const DeviceStream& stream, int64_t lanes, int64_t rows,
                 const DeviceOperand& names, const DeviceOperand& values) {
  const auto found = impl_->kernels.find(rows);
  OL_ASSERT(found != impl_->kernels.end(), "so many images were not prepared for");
  const std::array operands{DeviceOperand{impl_->images.data, 0}, names, values};
  found->second.run(stream, lanes, operands);
}

}  // namespace outerloop::exec::cuda
