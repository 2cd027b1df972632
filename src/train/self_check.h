#pragma once
// runtime.self_check: now and then a second rank computes a slot too.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "outerloop/comm/communicator.h"
#include "outerloop/optim/outer.h"

namespace outerloop::train {

// Every `every` iterations (0: never), another of `slots` each time; else none, -1.
int64_t slot_to_check(int64_t every, int64_t slots, int64_t iteration);

struct CheckedSlot {
  int64_t iteration = 0;
  int64_t slot = 0;
  int owner = 0;  // the rank that computed it; the one behind it does so again
};

// Of each parameter's gradient.
struct CheckedGradient {
  std::function<void(std::span<uint32_t> hashes)> own;  // as the step computed it
  std::function<std::vector<uint32_t>()> computed_again;
};

// Collective. `ranks` null: this process alone. Throws comm::AgreedFailure when the two differ.
void self_check(const CheckedSlot& checked, const CheckedGradient& gradient,
                const optim::ThetaLayout& layout, comm::Communicator* ranks);

}  // namespace outerloop::train
