#pragma once
// Single image files: PNG (any depth, palette, alpha), JPEG, PGM and PPM.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "outerloop/data/image_set.h"

namespace outerloop::data {

// 8 bits per channel, row-major (height, width, channels), channels 1 or 3.
struct Image {
  int height = 0;
  int width = 0;
  int channels = 1;
  std::vector<uint8_t> pixels;
};

// The format is told from the content. 16 bits are scaled to 8, transparency is laid over white,
// CMYK is refused. `name` is for messages. Throws BadInput when it is no such image or is damaged.
Image decode_image(std::span<const std::byte> file, const std::string& name);

// As a PNG file: what reports show. Equal images give equal bytes.
std::vector<std::byte> encode_png(const Image& image);

// The size of Pillow's Image.resize(LANCZOS): a = 3, widened when shrinking, 22-bit coefficients,
// rows then columns, each pass rounded to 8 bits; the same grey levels.
Image resize_lanczos(const Image& image, int height, int width);

// Grey is 0.299 R + 0.587 G + 0.114 B as in Pillow; then resize, then invert.
Image prepare(const Image& image, const ImagePreparation& preparation);

// Reads, prepares and scales to [0, 1]: what the importer and the episodes do, for one file.
// (height, width, channels)
std::vector<float> load_image(const std::filesystem::path& path,
                              const ImagePreparation& preparation);

struct NamedImage {
  std::string name;   // path inside the folder or archive, '/' between parts
  std::string label;  // its folder: parts joined by '/', empty for images at the top
  Image image;        // prepared
};

// All images of a folder (searched to any depth) or zip archive in order of their names. Files that
// are no images by their ending, and hidden ones, are passed over. Throws BadInput when there are
// none, or naming one that is damaged or in a format that is not read (WebP, GIF, BMP, TIFF, …), or
// a folder without images where those beside it hold some.
std::vector<NamedImage> read_images(const std::filesystem::path& folder_or_zip,
                                    const ImagePreparation& preparation);
// The files that it reads: the archive itself, or the images of the folder.
std::vector<std::filesystem::path> image_files(const std::filesystem::path& folder_or_zip);

}  // namespace outerloop::data
