#include <fmt/format.h>

#include <algorithm>

#include "data/decode.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

// The Netpbm formats P2, P3 (text) and P5, P6 (binary), grey and RGB.
class PnmParser {
 public:
  PnmParser(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {}

  Image parse() {
    const int kind = std::to_integer<int>(file_[1]) - '0';
    position_ = 2;
    const uint32_t width = number();
    const uint32_t height = number();
    const uint32_t maximum = number();
    if (maximum < 1 || maximum > 65535) fail(fmt::format("maximum value {}", maximum));
    check_size(height, width, name_);
    const int channels = kind == 3 || kind == 6 ? 3 : 1;
    const size_t count = size_t{height} * width * static_cast<size_t>(channels);
    const bool binary = kind >= 5;
    if (binary) ++position_;  // one white space ends the header
    const size_t sample_bytes = !binary ? 1 : maximum > 255 ? 2 : 1;
    if (count * sample_bytes > file_.size() - std::min(position_, file_.size())) {
      fail("it is cut short");
    }
    Image image{static_cast<int>(height), static_cast<int>(width), channels, {}};
    image.pixels.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      const uint32_t sample = binary ? binary_sample(sample_bytes) : number();
      if (sample > maximum) fail(fmt::format("value {} above the maximum {}", sample, maximum));
      image.pixels.push_back(static_cast<uint8_t>((sample * 255 + maximum / 2) / maximum));
    }
    return image;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw BadInput(fmt::format("{}: the PNM image is damaged: {}", name_, why));
  }

  int peek() const {
    return position_ < file_.size() ? std::to_integer<int>(file_[position_]) : -1;
  }

  void skip_space_and_comments() {
    for (;;) {
      const int c = peek();
      if (c == '#') {
        while (peek() != '\n' && peek() != -1) ++position_;
      } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
        ++position_;
      } else {
        return;
      }
    }
  }

  uint32_t number() {
    skip_space_and_comments();
    if (peek() < '0' || peek() > '9') fail("a number is missing");
    uint32_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<uint32_t>(peek() - '0');
      if (value > 1'000'000) fail("a number is too large");
      ++position_;
    }
    return value;
  }

  uint32_t binary_sample(size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value = value << 8 | std::to_integer<uint32_t>(file_[position_++]);
    }
    return value;
  }

  std::span<const std::byte> file_;
  const std::string& name_;
  size_t position_ = 0;
};

}  // namespace

Image decode_pnm(std::span<const std::byte> file, const std::string& name) {
  return PnmParser(file, name).parse();
}

}  // namespace outerloop::data
