#pragma once
// Selective prediction: the error rate among the most confident answers (Geifman and El-Yaniv
// 2017).

#include <span>

namespace outerloop::interp {

// risk(k) = errors among the k most confident / k; the area is the mean of risk(k), k = 1 … n.
struct RiskCoverage {
  double area = 0;         // ties: the expectation over all orders of the tied rows
  double area_stable = 0;  // ties: the order of the rows
  double oracle = 0;       // all correct rows first: the least area possible
  double excess = 0;       // area - oracle
  double excess_log = 0;   // area - (r + (1 - r) ln(1 - r)), r = error rate: the limit of large n
};

// correct: 0 or 1 per row. Throws BadInput when sizes differ or there are no rows.
RiskCoverage risk_coverage(std::span<const double> confidence, std::span<const double> correct);

}  // namespace outerloop::interp
