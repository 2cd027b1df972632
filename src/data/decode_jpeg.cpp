#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>

#include "data/decode.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

// libjpeg reports errors by a jump, so what lives across it is owned outside.
struct JpegReader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump{};
  char message[JMSG_LENGTH_MAX] = "";
  bool cut_short = false;
  std::vector<uint8_t> pixels;

  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }
};

JpegReader& reader_of(j_common_ptr jpeg) {
  return *static_cast<JpegReader*>(jpeg->client_data);
}

void on_error(j_common_ptr jpeg) {
  JpegReader& reader = reader_of(jpeg);
  jpeg->err->format_message(jpeg, reader.message);
  std::longjmp(reader.jump, 1);
}

// Most warnings are about harmless oddities; these two mean that pixels are missing.
void on_message(j_common_ptr jpeg, int level) {
  const int code = jpeg->err->msg_code;
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) {
    reader_of(jpeg).cut_short = true;
  }
}

bool read_header(JpegReader& reader, std::span<const std::byte> file) {
  if (setjmp(reader.jump) != 0) return false;
  jpeg_create_decompress(&reader.jpeg);
  reader.jpeg.client_data = &reader;
  jpeg_mem_src(&reader.jpeg, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&reader.jpeg, TRUE);
  reader.jpeg.out_color_space =
      reader.jpeg.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
  return true;
}

bool read_jpeg_rows(JpegReader& reader) {
  if (setjmp(reader.jump) != 0) return false;
  jpeg_start_decompress(&reader.jpeg);
  const size_t row =
      size_t{reader.jpeg.output_width} * static_cast<size_t>(reader.jpeg.output_components);
  while (reader.jpeg.output_scanline < reader.jpeg.output_height) {
    JSAMPROW target = reader.pixels.data() + reader.jpeg.output_scanline * row;
    jpeg_read_scanlines(&reader.jpeg, &target, 1);
  }
  jpeg_finish_decompress(&reader.jpeg);
  return true;
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> file, const std::string& name) {
  JpegReader reader;
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = on_error;
  reader.errors.emit_message = on_message;
  reader.jpeg.client_data = &reader;
  const auto fail = [&](const char* why) {
    throw BadInput(fmt::format("{}: the JPEG image is damaged: {}", name, why));
  };
  if (!read_header(reader, file)) fail(reader.message);
  const J_COLOR_SPACE space = reader.jpeg.jpeg_color_space;
  if (space == JCS_CMYK || space == JCS_YCCK) {
    throw BadInput(fmt::format("{}: JPEG images in CMYK are not read; convert it to RGB", name));
  }
  check_size(reader.jpeg.image_height, reader.jpeg.image_width, name);
  const int channels = reader.jpeg.out_color_space == JCS_GRAYSCALE ? 1 : 3;
  reader.pixels.resize(size_t{reader.jpeg.image_height} * reader.jpeg.image_width *
                       static_cast<size_t>(channels));
  if (!read_jpeg_rows(reader)) fail(reader.message);
  if (reader.cut_short) fail("it is cut short");
  return {static_cast<int>(reader.jpeg.image_height), static_cast<int>(reader.jpeg.image_width),
          channels, std::move(reader.pixels)};
}

}  // namespace outerloop::data
