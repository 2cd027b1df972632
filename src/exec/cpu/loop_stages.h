#pragma once
// Which values of a loop body change how often, and the parts of the body that compute them.

#include <cstdint>
#include <span>
#include <vector>

#include "exec/cpu/loop.h"
#include "outerloop/ir/scalar.h"

namespace outerloop::exec {

// The generated loop runs over rows (a block of columns at a time) or over columns.
enum class InnerAxis : uint8_t { rows, columns };

// How deep in the nest a value changes.
enum class Level : uint8_t {
  constant,  // the same in the whole loop
  outer,     // set before the inner loop, one value for all columns
  column,    // set before an inner loop over rows, a value for each column
  inner,     // changes in the inner loop
};

// Levels of the instructions of nest.body.
std::vector<Level> levels_of(const LoopNest& nest, InnerAxis inner);

// Operations below Level::inner that a later level or an output needs: worth computing once.
std::vector<int> invariant_results(const LoopNest& nest, std::span<const Level> levels);

// The part of the body that computes the instructions `wanted` from the instructions `given`. Its
// inputs are the given values, in order.
ScalarBody extract(const ScalarBody& body, std::span<const int> wanted, std::span<const int> given);

}  // namespace outerloop::exec
