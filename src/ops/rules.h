#pragma once
// What the type and derivative rules of the records share.

#include <fmt/format.h>

#include <string>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/ir/op_def.h"
#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"

namespace outerloop::rules {

using Types = std::vector<TensorType>;

// Throws BadInput unless `condition`.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) throw BadInput(fmt::format(text, std::forward<Args>(args)...));
}
void require_rank(const TensorType& type, int rank, std::string_view what);
void require_floating(const TensorType& type, std::string_view what);
void require_indices(const TensorType& type, std::string_view what);
void require_same(const TensorType& a, const TensorType& b, std::string_view what);
DType dtype_attribute(const Attributes& attributes);

// a - b, where an invalid Expr is zero.
Expr minus(Expr a, Expr b);

// The tangent of an op that is linear in input 0, the others being constants.
Expr linear_jvp(const JvpArguments& arguments);
// … of an op that is linear in each of its two inputs.
Expr bilinear_jvp(const JvpArguments& arguments);

// Axes that are not in `axes`.
Axes other_axes(int rank, std::span<const int64_t> axes);
// Counts from the end resolved, sorted. Throws BadInput when out of range or double.
Axes normalised(const Axes& axes, int rank);
int64_t normalised(int64_t axis, int rank);

double no_flops(TypeSpan inputs, TypeSpan outputs, const Attributes& attributes);
double one_flop_per_input(TypeSpan inputs, TypeSpan outputs, const Attributes& attributes);

inline TensorType f32(Shape shape) {
  return {DType::f32, shape};
}
inline TensorType i32(Shape shape) {
  return {DType::i32, shape};
}

}  // namespace outerloop::rules
