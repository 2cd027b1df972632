#pragma once
// What is said of a value over tasks.

#include <cstdint>
#include <span>
#include <vector>

namespace outerloop::train {

// A mean never stands without its interval and the number of tasks. NaN where there are too few.
struct Statistic {
  double mean = 0;    // over the tasks that did not diverge
  double ci95 = 0;    // Student's t times standard deviation (ddof 1) / sqrt(tasks)
  double median = 0;  // over all tasks; those that diverged count as the largest
  int64_t tasks = 0;  // distinct ones that did not diverge
};

// `values`: one per draw; `left_out`: draws that diverged. Draw i is of task i % distinct: the task
// is the unit, so the mean of its draws counts once; it diverged if all of them did. distinct = 0:
// no two draws are of one task.
Statistic statistic(std::span<const float> values, std::span<const uint8_t> left_out,
                    int64_t distinct);

// The mean over its draws of each distinct task that has one that counts, in the tasks' order.
std::vector<double> means_of_tasks(std::span<const float> values, std::span<const uint8_t> left_out,
                                   int64_t distinct);

}  // namespace outerloop::train
