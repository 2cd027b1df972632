#pragma once
// Hashes: xxh3 for data (fast, finds damage), SHA-256 for the identity of content (manifests).

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace outerloop {

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Hash128&) const = default;
};

uint64_t xxh3_64(std::span<const std::byte> bytes);
Hash128 xxh3_128(std::span<const std::byte> bytes);
// Of all pieces that `next` gives one after the other, until an empty one.
Hash128 xxh3_128_of_pieces(const std::function<std::span<const std::byte>()>& next);

// Lower-case hexadecimal, most significant digit first: 16 and 32 digits.
std::string to_hex(uint64_t hash);
std::string to_hex(const Hash128& hash);

// 64 lower-case hexadecimal digits (FIPS 180-4).
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);
// Throws SystemFailure when the file cannot be read.
std::string sha256_hex_of_file(const std::filesystem::path& file);

}  // namespace outerloop
