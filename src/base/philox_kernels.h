#pragma once
// Philox4x32-10 on whole groups, one kernel per instruction set. All give the same words.

#include <array>
#include <cstddef>
#include <cstdint>

namespace outerloop {

inline constexpr size_t kPhiloxLanes = 8;  // counters of a group
inline constexpr size_t kPhiloxGroupWords = 4 * kPhiloxLanes;

using PhiloxKey = std::array<uint32_t, 2>;
using PhiloxCounter = std::array<uint32_t, 4>;

// Group g holds the blocks of the counters first + 8 g … first + 8 g + 7 (word 0 counts), in the
// order that the public header gives. words holds groups * 32 words.
using PhiloxKernel = void (*)(const PhiloxKey& key, const PhiloxCounter& first, size_t groups,
                              uint32_t* words);

void philox_groups_base(const PhiloxKey& key, const PhiloxCounter& first, size_t groups,
                        uint32_t* words);
void philox_groups_avx2(const PhiloxKey& key, const PhiloxCounter& first, size_t groups,
                        uint32_t* words);

// The fastest that this processor runs.
PhiloxKernel philox_kernel();

}  // namespace outerloop
