#include "ops/generated.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"

namespace outerloop::testing {
namespace {

// As rules::other_axes; the axes that a reduction keeps.
Axes without(int rank, const Axes& axes) {
  Axes result;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (std::ranges::find(axes, axis) == axes.end()) result.push_back(axis);
  }
  return result;
}

class ChainGenerator {
 public:
  ChainGenerator(int rank, DType dtype, uint32_t seed) : dtype_(dtype), random_(seed) {
    constexpr std::array<int64_t, 8> kExtents{1, 1, 2, 2, 3, 4, 5, 17};
    for (int axis = 0; axis < rank; ++axis) {
      const int64_t extent = kExtents[pick(kExtents.size())];
      shape_.append(shape_.elements() * extent > 2000 ? 1 : extent);
    }
  }

  Generated run(std::string name) {
    for (const OpDef* op : all_ops()) {
      if (op->group == OpGroup::elementwise) elementwise_.push_back(op);
    }
    pool_.push_back(input(shape_));
    const uint32_t count = 3 + pick(30);
    for (uint32_t i = 0; i < count; ++i) {
      if (pick(6) == 0) {
        reduce();
      } else {
        pool_.push_back(apply(*elementwise_[pick(elementwise_.size())]));
      }
    }
    output(pool_.back());
    for (uint32_t i = pick(3); i > 0; --i) output(pool_[pick(pool_.size())]);
    Generated result{std::move(name), builder_.finish(), {}};
    for (const ProgramInput& in : result.program.inputs) {
      result.inputs.push_back(draw_with_zeros(result.program.type(in.value)));
    }
    return result;
  }

 private:
  uint32_t pick(size_t count) { return static_cast<uint32_t>(random_() % count); }

  // Zeros of both signs among the values: sums and copies treat them differently.
  Tensor draw_with_zeros(const TensorType& type) {
    const Tensor drawn = draw_uniform({DType::f64, type.shape}, -1.5, 1.5, random_);
    std::vector<double> values = drawn.to_doubles();
    for (double& value : values) {
      if (pick(8) == 0) value = std::copysign(0.0, value);
    }
    return Tensor::from<double>(type.shape, values).cast(type.dtype);
  }

  Expr input(const Shape& shape) {
    return builder_.input("x" + std::to_string(builder_.program().inputs.size()), {dtype_, shape},
                          pick(3) == 0 ? Binding::shared : Binding::per_lane);
  }
  void output(Expr value) {
    builder_.output("y" + std::to_string(builder_.program().outputs.size()), value);
  }

  Axes some_axes() {
    Axes axes;
    for (int64_t axis = 0; axis < shape_.rank(); ++axis) {
      if (pick(2) == 0) axes.push_back(axis);
    }
    return axes;
  }

  Expr repeated() {
    const Axes axes = some_axes();
    Shape part;
    for (int64_t axis : axes) part.append(shape_[static_cast<int>(axis)]);
    return broadcast_in_dim(input(part), shape_, axes);
  }

  // Mostly recent values: long chains; sometimes early ones: long lives.
  Expr operand() {
    switch (pick(8)) {
      case 0:
        return constant(builder_, 0.25 * (pick(9) - 4.0), {dtype_, shape_});
      case 1:
        return repeated();
      case 2:
        return input(shape_);
      case 3:
        return pool_[pick(pool_.size())];
      default:
        return pool_[pool_.size() - 1 - pick(std::min<size_t>(pool_.size(), 3))];
    }
  }

  // Within the range that the record's samples state, now and then.
  Expr apply(const OpDef& op) {
    const std::vector<OpSample> samples = op.samples();
    const OpSample& sample = samples[pick(samples.size())];
    std::vector<Expr> inputs;
    for (int i = 0; i < op.arity; ++i) {
      Expr x = operand();
      if (sample.low > 0 || pick(3) == 0) {
        x = logistic(x) * (sample.high - sample.low) + sample.low;
      }
      inputs.push_back(x);
    }
    return builder_.apply(op, inputs, sample.attributes);
  }

  void reduce() {
    const Axes axes = some_axes();
    if (axes.empty()) return;
    const Expr x = pool_.back();
    const Expr reduced = pick(3) == 0 ? reduce_max(x, axes) : sum(x, axes);
    if (pick(2) == 0) return output(reduced);
    pool_.push_back(broadcast_in_dim(reduced, shape_, without(shape_.rank(), axes)));
  }

  DType dtype_;
  std::mt19937 random_;
  Shape shape_;
  Builder builder_;
  std::vector<const OpDef*> elementwise_;
  std::vector<Expr> pool_;
};

// The same value, by an elementwise op that passes cannot remove.
Expr passed_on(Expr x) {
  return maximum(x, full_like(x, -1e6));
}

Axes every_other_axis(Expr x, int64_t first) {
  Axes axes;
  for (int64_t axis = first; axis < x.shape().rank(); axis += 2) axes.push_back(axis);
  return axes;
}

}  // namespace

Generated random_chain(int rank, DType dtype, uint32_t seed) {
  return ChainGenerator(rank, dtype, seed)
      .run(fmt::format("chain of rank {}, {}, seed {}", rank, name_of(dtype), seed));
}

Generated neighbourhood(const OpCase& c, DType dtype, uint32_t seed) {
  const OpSample sample = in_type(sample_of(c), dtype);
  Builder builder;
  std::vector<Expr> inputs;
  Expr image;  // what a place of a maximum points into
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    const Expr input = builder.input("x" + std::to_string(i), sample.inputs[i],
                                     i % 2 == 0 ? Binding::per_lane : Binding::shared);
    inputs.push_back(is_floating(input.dtype()) ? passed_on(input) : input);
    if (is_floating(input.dtype())) image = inputs.back();
  }
  const std::vector<Expr> results = builder.apply_multiple(*c.op, inputs, sample.attributes);
  for (size_t i = 0; i < results.size(); ++i) {
    Expr y = results[i];
    if (!is_floating(y.dtype())) {
      builder.output(fmt::format("index {}", i), y);
      y = image.valid() ? take(image, y) : one_hot(y, 9, dtype);
    }
    const Expr after = tanh(y) * 0.5 + y;
    builder.output(fmt::format("y{}", i), after);
    for (int64_t first : {0, 1}) {
      const Axes axes = every_other_axis(after, first);
      if (axes.empty()) continue;
      builder.output(fmt::format("sum {} of {}", first, i), sum(square(after), axes));
      builder.output(fmt::format("maximum {} of {}", first, i), reduce_max(after - 1.0, axes));
    }
  }
  std::mt19937 random(seed);
  return {fmt::format("{} {}", name_of(c), name_of(dtype)), builder.finish(),
          draw_inputs(sample, random)};
}

}  // namespace outerloop::testing
