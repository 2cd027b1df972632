#pragma once

#include <optional>
#include <string_view>

#include "outerloop/ir/program.h"

namespace outerloop::meta {

// A program cut where its rows enter it.
struct CutProgram {
  Program product;  // outputs "product" (rows, width) and "product_weight" (inputs, width)
  Program rest;     // the outputs of the whole, from the per-lane input "query_product"
};

// Nothing where the input `rows` (rows, …example) enters otherwise than by one matrix product of
// the flat rows with a weight.
std::optional<CutProgram> cut_at_first_product(const Program& program, std::string_view rows);

}  // namespace outerloop::meta
