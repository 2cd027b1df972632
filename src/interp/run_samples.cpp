#include "interp/run_samples.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "interp/task_columns.h"

namespace outerloop::interp {
namespace {

// Where a round's values of one part and group are, by repeat.
struct Slice {
  PartKey part;
  size_t group = 0;  // of the problem
  std::vector<size_t> columns;
};

std::vector<Slice> slices_of(const RunImportanceJob& job, size_t metric) {
  std::vector<Slice> slices;
  const auto& columns = job.task_columns();
  for (size_t c = 0; c < columns.size(); ++c) {
    const TaskColumn& column = columns[c];
    if (column.metric != metric || column.is_baseline || column.label >= 0) continue;
    if (column.repeat == 0) {
      slices.push_back({{column.estimand, column.step}, job.round().groups[column.group], {}});
    }
    slices.back().columns.push_back(c);
  }
  return slices;
}

}  // namespace

bool DoneRound::is_finite(size_t cell) const {
  return std::ranges::all_of(results->values(cell), [](double v) { return std::isfinite(v); });
}

void GroupSample::add_task(std::span<const double> repeats) {
  const auto count = static_cast<double>(repeats.size());
  const double mean = std::accumulate(repeats.begin(), repeats.end(), 0.0) / count;
  means.push_back(mean);
  for (const double value : repeats) squares += (value - mean) * (value - mean);
  freedom += count - 1;
  shares += 1 / count;
}

double GroupSample::repeat_error() const {
  if (certain) return 0;
  if (freedom == 0) return std::numeric_limits<double>::quiet_NaN();
  return std::sqrt(squares / freedom * shares) / static_cast<double>(means.size());
}

Samples samples_of(const RunProblem& problem, std::span<const DoneRound> rounds, size_t metric) {
  Samples samples;
  std::vector<double> repeats;
  for (const DoneRound& round : rounds) {
    const bool is_pilot = &round == rounds.data();
    const std::vector<Slice> slices = slices_of(*round.job, metric);
    for (size_t cell = 0; cell < round.results->cells(); ++cell) {
      if (!round.is_finite(cell)) continue;
      const auto values = round.results->values(cell);
      for (const Slice& slice : slices) {
        auto& groups = samples[slice.part];
        groups.resize(problem.scoring.groups.size());
        repeats.clear();
        for (const size_t column : slice.columns) repeats.push_back(values[column]);
        GroupSample& group = groups[slice.group];
        group.certain = is_certain(slice.part.first, problem.scoring.exact);
        group.add_task(repeats);
        if (!is_pilot) continue;
        group.pilot_repeats = repeats.size();
        group.pilot.insert(group.pilot.end(), repeats.begin(), repeats.end());
      }
    }
  }
  return samples;
}

}  // namespace outerloop::interp
