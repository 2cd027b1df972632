#pragma once
// How fast permutation importance scores a network.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outerloop/interp/importance_spec.h"

namespace outerloop::interp {

struct ImportanceBench {
  std::string isa, network, precision;
  size_t rows = 0;     // scored in a cell
  size_t cells = 0;    // (group, repeat)
  double seconds = 0;  // of a pass: draws, first layer, baseline, all cells; the median
  double cpu_seconds =
      0;  // of a pass, of this thread; the median: beside other work, the truer one
  double cells_per_s = 0, rows_per_s = 0;
  double dense_flops_per_row = 0;  // of the whole network, though the first layer costs less here
  double dense_gflops = 0;
  double gemm_gflops = 0;  // of this core: products of 256 x 256 matrices, same precision
  double fraction_of_gemm = 0;
};

// On one thread, in each precision. Without a specification: 50-64-64-1, 10,000 rows, 10 repeats.
// Throws BadInput where its model is no mlp.
std::vector<ImportanceBench> bench_importance(const std::optional<ImportanceSpec>& spec);

// A paragraph for each.
std::string describe(std::span<const ImportanceBench> benches);
// By precision.
std::string to_json_text(std::span<const ImportanceBench> benches);

}  // namespace outerloop::interp
