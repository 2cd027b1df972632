#pragma once
// How results are spread over tasks.

#include <vector>

#include "report/report_data.h"

namespace outerloop::report {

struct Histogram {
  std::vector<double> edges;
  std::vector<double> before, after;  // shares of all tasks, by bin
  bool logarithmic = false;
};

// Results that are not finite are in no bin. Few distinct values (accuracies) get a bin each;
// losses that span orders of magnitude are binned by their logarithm.
Histogram make_histogram(const TaskResults& results, bool fractions);

}  // namespace outerloop::report
