#pragma once
// How far the points of a sweep are. All of it is read from the folder: any worker, on any host
// that shares the folder, sees the same.

#include <optional>
#include <string>
#include <vector>

#include "outerloop/sweep/plan.h"

namespace outerloop::sweep {

enum class State { done, failed, running, interrupted, waiting };

struct PointState {
  State state = State::waiting;
  std::string error;  // failed: the first error line
};

// Why the point does not count as done; nothing when its result verifies: summary.json is of this
// config, and the checkpoints it names are there with the content that it names.
std::optional<std::string> why_not_done(const SweepFolder& folder, const Point& point);

// So that a result that does not verify is made again, by who holds the point's lease: removes its
// summary. Where that names a checkpoint that is damaged or gone, all checkpoints are set aside: a
// training that went on from a later one would have nothing left to train and test another. Returns
// why, if so. Throws SystemFailure.
std::optional<std::string> discard_result(const SweepFolder& folder, const Point& point);

PointState state_of(const SweepFolder& folder, const Point& point);

// In the order of the points.
std::vector<PointState> states_of(const SweepFolder& folder, const Plan& plan);

// Counts, then each failed point with its error: lines for people.
std::string describe(const Plan& plan, const std::vector<PointState>& states);

// Makes failed points waiting (or interrupted) ones. `fresh`: what they trained is removed too.
// Returns how many. Throws SystemFailure.
int64_t retry_failed(const SweepFolder& folder, const Plan& plan, bool fresh);

// "inner.rate=0.1 seed=3"
std::string words_of(const Point& point);

}  // namespace outerloop::sweep
