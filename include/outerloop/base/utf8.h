#pragma once
// UTF-8 (RFC 3629).

#include <cstdint>
#include <optional>
#include <string_view>

namespace outerloop {

// The code point at the front of `text`, which is taken off. Nothing for bytes that are no UTF-8:
// broken or overlong sequences, surrogates, values past 0x10ffff; `text` is not empty.
inline std::optional<uint32_t> take_code_point(std::string_view& text) {
  const auto take = [&text] {
    const auto byte = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    return byte;
  };
  const uint32_t lead = take();
  if (lead < 0x80) return lead;
  if (lead < 0xc2 || lead > 0xf4) return std::nullopt;
  const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  uint32_t code = lead & (0x3fU >> more);
  for (int k = 0; k < more; ++k) {
    if (text.empty() || (static_cast<unsigned char>(text.front()) & 0xc0) != 0x80) {
      return std::nullopt;
    }
    code = code << 6 | (take() & 0x3fU);
  }
  constexpr uint32_t kLeast[] = {0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < kLeast[more - 1] || code > 0x10ffff || surrogate) return std::nullopt;
  return code;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (!take_code_point(text)) return false;
  }
  return true;
}

}  // namespace outerloop
