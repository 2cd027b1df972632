#pragma once
// Values as the bytes they have in memory, for formats that are little-endian.

#include <array>
#include <bit>
#include <string>

namespace outerloop::io {

static_assert(std::endian::native == std::endian::little, "the formats are little-endian");

template <class T>
void append_raw(std::string& out, T value) {
  const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  out.append(bytes.data(), bytes.size());
}

}  // namespace outerloop::io
