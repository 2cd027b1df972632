#pragma once
// The two 32-bit cyclic redundancy checks that file formats ask for.

#include <cstddef>
#include <cstdint>
#include <span>

namespace outerloop {

// IEEE 802.3 (zip, png). Pass the former result to go on over several pieces.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t so_far = 0);

// Castagnoli (TensorBoard's event files, iSCSI).
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t so_far = 0);

// crc32c rotated and offset as TFRecord stores it, so that a checksum of checksums stays useful.
uint32_t masked_crc32c(std::span<const std::byte> bytes);

}  // namespace outerloop
