#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "data/decode.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

// libpng reports errors by a jump, so what lives across it is plain data owned outside.
struct PngReader {
  std::span<const std::byte> file;
  size_t position = 0;
  std::string error;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<uint8_t> pixels;
  std::vector<png_bytep> rows;
  uint32_t height = 0;
  uint32_t width = 0;
  int channels = 0;

  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

void on_error(png_structp png, png_const_charp message) {
  static_cast<PngReader*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep target, size_t count) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > reader->file.size() - reader->position) png_error(png, "the file is cut short");
  std::memcpy(target, reader->file.data() + reader->position, count);
  reader->position += count;
}

// Leaves 8 bits per channel: grey, grey and alpha, RGB or RGBA. False after an error.
bool read_header(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_read_fn(reader.png, &reader, on_read);
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);
  png_set_scale_16(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  reader.height = png_get_image_height(reader.png, reader.info);
  reader.width = png_get_image_width(reader.png, reader.info);
  reader.channels = png_get_channels(reader.png, reader.info);
  return true;
}

bool read_png_rows(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_read_image(reader.png, reader.rows.data());
  png_read_end(reader.png, nullptr);
  return true;
}

// Drops the last channel, laying the others over white by it.
std::vector<uint8_t> over_white(const std::vector<uint8_t>& pixels, size_t channels) {
  std::vector<uint8_t> result;
  result.reserve(pixels.size() / channels * (channels - 1));
  for (size_t at = 0; at < pixels.size(); at += channels) {
    const int alpha = pixels[at + channels - 1];
    for (size_t c = 0; c + 1 < channels; ++c) {
      const int level = pixels[at + c] * alpha + 255 * (255 - alpha);
      result.push_back(static_cast<uint8_t>((level + 127) / 255));
    }
  }
  return result;
}

}  // namespace

Image decode_png(std::span<const std::byte> file, const std::string& name) {
  PngReader reader{.file = file};
  const auto fail = [&] {
    throw BadInput(fmt::format("{}: the PNG image is damaged: {}", name, reader.error));
  };
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (reader.png == nullptr) throw SystemFailure("libpng cannot start (out of memory?)");
  reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) throw SystemFailure("libpng cannot start (out of memory?)");
  if (!read_header(reader)) fail();
  check_size(reader.height, reader.width, name);
  const auto channels = static_cast<size_t>(reader.channels);
  const size_t row = reader.width * channels;
  reader.pixels.resize(reader.height * row);
  for (size_t y = 0; y < reader.height; ++y) reader.rows.push_back(reader.pixels.data() + y * row);
  if (!read_png_rows(reader)) fail();

  const bool alpha = channels == 2 || channels == 4;
  return {static_cast<int>(reader.height), static_cast<int>(reader.width),
          static_cast<int>(alpha ? channels - 1 : channels),
          alpha ? over_white(reader.pixels, channels) : std::move(reader.pixels)};
}

}  // namespace outerloop::data
