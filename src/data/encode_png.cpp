#include <fmt/format.h>
#include <png.h>

#include "outerloop/base/error.h"
#include "outerloop/data/image_file.h"

namespace outerloop::data {

std::vector<std::byte> encode_png(const Image& image) {
  const auto size = static_cast<size_t>(image.height) * static_cast<size_t>(image.width) *
                    static_cast<size_t>(image.channels);
  OL_ASSERT(image.pixels.size() == size, "an image of another size than it says");
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::vector<std::byte> file(PNG_IMAGE_PNG_SIZE_MAX(png));
  png_alloc_size_t written = file.size();
  if (png_image_write_to_memory(&png, file.data(), &written, 0, image.pixels.data(), 0, nullptr) ==
      0) {
    throw SystemFailure(fmt::format("an image cannot be encoded as PNG: {}", png.message));
  }
  file.resize(written);
  return file;
}

}  // namespace outerloop::data
