#pragma once
// A seal over a whole HDF5 file: its first 512 bytes (HDF5's "user block", which every HDF5 reader
// skips) hold the length and the xxh3-128 of all that follows. So any damage is found before a byte
// of the content is interpreted, and a damaged file never reaches the HDF5 library.

#include <cstddef>
#include <filesystem>
#include <string>

namespace outerloop::io {

inline constexpr size_t kSealBytes = 512;

// Writes the seal into a closed file that was created with room_for_seal.
void seal_file(const std::filesystem::path& file);

// True when the file begins with a seal, whether or not it holds.
bool is_sealed(const std::filesystem::path& file);

// Why the seal does not hold ("truncated: 1000 of 2000 bytes", "content differs from its checksum",
// "no seal"), or an empty string when it holds. Throws BadInput when there is no such file.
std::string check_seal(const std::filesystem::path& file);

}  // namespace outerloop::io
