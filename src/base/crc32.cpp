#include "outerloop/base/crc32.h"

#include <array>

namespace outerloop {
namespace {

// Slicing by eight: table[k][b] advances byte b past k further zero bytes, so eight bytes are
// folded in per turn without a dependency between the eight look-ups.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables make_tables(uint32_t reflected_polynomial) {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? reflected_polynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k)
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}

constexpr Tables kIeee = make_tables(0xedb88320);
constexpr Tables kCastagnoli = make_tables(0x82f63b78);

uint32_t update(const Tables& tables, std::span<const std::byte> bytes, uint32_t so_far) {
  uint32_t crc = ~so_far;
  const auto at = [&](size_t i) { return std::to_integer<uint32_t>(bytes[i]); };
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    crc ^= at(i) | at(i + 1) << 8 | at(i + 2) << 16 | at(i + 3) << 24;
    crc = tables[7][crc & 0xff] ^ tables[6][crc >> 8 & 0xff] ^ tables[5][crc >> 16 & 0xff] ^
          tables[4][crc >> 24] ^ tables[3][at(i + 4)] ^ tables[2][at(i + 5)] ^
          tables[1][at(i + 6)] ^ tables[0][at(i + 7)];
  }
  for (; i < bytes.size(); ++i) crc = (crc >> 8) ^ tables[0][(crc ^ at(i)) & 0xff];
  return ~crc;
}

}  // namespace

uint32_t crc32(std::span<const std::byte> bytes, uint32_t so_far) {
  return update(kIeee, bytes, so_far);
}

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t so_far) {
  return update(kCastagnoli, bytes, so_far);
}

uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

}  // namespace outerloop
