#include "interp/product_update.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "outerloop/ops/ops.h"

namespace outerloop::interp {

bool RowSteps::take(const ChangedRows& copy, std::span<const float> rows, size_t row_inputs) {
  bool is_small = true;
  inputs_.clear();
  steps_.clear();
  place_of_.resize(row_inputs);
  for (size_t row = 0; row < copy.donors.size(); ++row) {
    const auto own = rows.subspan(row * row_inputs, row_inputs);
    const auto donor = copy.source.subspan(copy.donors[row] * row_inputs, row_inputs);
    for (const uint32_t input : copy.inputs.of(row)) {
      const float step = donor[input] - own[input];
      if (step == 0) continue;
      is_small = is_small && std::abs(own[input]) <= kMost && std::abs(donor[input]) <= kMost;
      if (place_of_[input] == 0) {
        inputs_.push_back(input);
        place_of_[input] = static_cast<uint32_t>(inputs_.size());
      }
      steps_.push_back({row, place_of_[input] - 1, step});
    }
  }
  for (const uint32_t input : inputs_) place_of_[input] = 0;
  return is_small;
}

void RowSteps::write(size_t width, std::span<float> steps) const {
  std::ranges::fill(steps, 0.0F);
  for (const Step& step : steps_) steps[step.row * width + step.place] = step.step;
}

// A compiled update for so many changed inputs.
struct ProductUpdate::Plan {
  Plan(size_t rows, size_t inputs, size_t width, const exec::CompileOptions& options)
      : steps(DType::f32, shape(rows, inputs)),
        weight(DType::f32, shape(inputs, width)),
        executable(exec::Executable::compile(program(rows, width), options)),
        shared(executable),
        workspace(executable->lane_arena_bytes()),
        instance(executable, shared, workspace) {
    instance.bind_input(1, steps);
    instance.bind_input(2, weight);
  }

  static Shape shape(size_t rows, size_t columns) {
    return {static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
  }

  Program program(size_t rows, size_t width) const {
    Builder builder;
    const auto input = [&](const char* name, const Shape& of) {
      return builder.input(name, {DType::f32, of}, Binding::per_lane);
    };
    const Expr values = input("values", shape(rows, width));
    const Expr by = input("steps", steps.shape());
    builder.output("changed", values + matmul(by, input("weight", weight.shape())));
    return builder.finish();
  }

  Tensor steps;   // (rows, inputs)
  Tensor weight;  // (inputs, width)
  std::shared_ptr<const exec::Executable> executable;
  exec::SharedState shared;
  exec::Workspace workspace;
  exec::Instance instance;
};

ProductUpdate::ProductUpdate(size_t rows, size_t inputs, size_t width, exec::CompileOptions options)
    : rows_(rows), inputs_(inputs), width_(width), options_(std::move(options)) {}
ProductUpdate::~ProductUpdate() = default;

// Few plans serve all groups: zeros added at the end of a chain of products change no bit.
size_t ProductUpdate::padded(size_t inputs) const {
  return std::min(std::bit_ceil(std::max<size_t>(1, inputs)), inputs_);
}

ProductUpdate::Plan& ProductUpdate::plan(size_t padded) {
  std::unique_ptr<Plan>& place = plans_[padded];
  if (!place) place = std::make_unique<Plan>(rows_, padded, width_, options_);
  return *place;
}

void ProductUpdate::apply(const RowSteps& steps, std::span<const float> values,
                          std::span<const float> weight, std::span<float> result) {
  const size_t width = padded(steps.inputs().size());
  Plan& of_width = plan(width);
  steps.write(width, of_width.steps.as<float>());
  const auto own = of_width.weight.as<float>();
  auto place = own.begin();
  for (const uint32_t input : steps.inputs()) {
    place = std::ranges::copy(weight.subspan(input * width_, width_), place).out;
  }
  std::fill(place, own.end(), 0.0F);
  of_width.instance.bind_input(0, values.data());
  of_width.instance.bind_output(0, result.data());
  of_width.instance.run();
}

double ProductUpdate::flops(size_t inputs) const {
  return static_cast<double>(rows_ * width_ * (2 * padded(inputs) + 1));
}

}  // namespace outerloop::interp
