#pragma once
// Parts of generated text.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/cuda/source.h"
#include "outerloop/ir/scalar.h"

namespace outerloop::exec::cuda {

inline constexpr int kMostThreads = 256;

std::string_view type_name(DType dtype);  // "float"

// `const T v3 = ol::fma(v0, v1, v2);` for each instruction; `inputs` are expressions.
struct BodyText {
  std::string lines;
  std::vector<std::string> outputs;  // names of values
};
BodyText print_body(const ScalarBody& body, DType dtype, std::span<const std::string> inputs);

// `const unsigned i0 = …;` for each axis with more than one element, from a row-major index.
std::string print_axes(std::string_view index, std::span<const int64_t> extents,
                       std::string_view axis_prefix);
// "i0 * 40 + i2 + 7": strides in elements over axes `axis_prefix`0, …; those of stride or extent
// that leave nothing are left out. "0" when nothing is left.
std::string print_offset(std::span<const int64_t> extents, std::span<const int64_t> strides,
                         std::string_view axis_prefix, int64_t constant = 0);

// "OL_DEVICE void run(…) {"
std::string run_head(int operands);

// A kernel that runs `body` for every element `e` in [0, count).
KernelCode element_kernel(int operands, int64_t count, const Team& team, const std::string& body);
// How such a loop is shared out.
struct ElementLoop {
  int threads = 0;
  int64_t blocks = 0;
  int64_t per_block = 0;
};
ElementLoop element_loop(int64_t count, const Team& team);

// Threads in a block of the kernels that are launched alone.
constexpr int kBlockThreads = 256;

int64_t blocks_for(int64_t items, int64_t per_block);

}  // namespace outerloop::exec::cuda
