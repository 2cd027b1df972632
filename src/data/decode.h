#pragma once
// One decoder per format. All throw BadInput that names the image.

#include <span>
#include <string>

#include "outerloop/data/image_file.h"

namespace outerloop::data {

Image decode_png(std::span<const std::byte> file, const std::string& name);
Image decode_jpeg(std::span<const std::byte> file, const std::string& name);
Image decode_pnm(std::span<const std::byte> file, const std::string& name);

// Throws BadInput on an empty image or one of more than 2^26 pixels.
void check_size(uint64_t height, uint64_t width, const std::string& name);

}  // namespace outerloop::data
