#include "meta/step.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

ProgramInputs::ProgramInputs(Builder& builder, DType dtype, int64_t first_step, int64_t steps)
    : builder_(builder), dtype_(dtype), first_step_(first_step), steps_(steps) {}

Expr ProgramInputs::once(const std::string& name, const TensorType& type, Binding binding) {
  const auto [place, is_new] = inputs_.try_emplace(name);
  if (is_new) place->second = builder_.input(name, type, binding);
  OL_ASSERT(place->second.type() == type, fmt::format("input {} has two types", name));
  return place->second;
}

Expr ProgramInputs::shared(const std::string& name, const TensorType& type) {
  return once(name, type, Binding::shared);
}

Expr ProgramInputs::per_lane(const std::string& name, const TensorType& type) {
  return once(name, type, Binding::per_lane);
}

Expr ProgramInputs::scheduled(std::string_view name, int64_t step,
                              const std::function<double(int64_t)>& f) {
  const std::string full = fmt::format("schedule/{}", name);
  if (!inputs_.contains(full)) {
    Tensor values(DType::f64, {steps_});
    for (int64_t i = 0; i < steps_; ++i) {
      values.as<double>()[static_cast<size_t>(i)] = f(first_step_ + i);
    }
    constants_.push_back({full, values.cast(dtype_)});
  }
  const int64_t row = step - first_step_;
  return reshape(slice_axis(shared(full, {dtype_, {steps_}}), 0, row, row + 1), {});
}

Expr ProgramInputs::step_index(int64_t step) {
  const std::string full = "schedule/step";
  if (!inputs_.contains(full)) {
    Tensor values(DType::i32, {steps_});
    for (int64_t i = 0; i < steps_; ++i) {
      values.as<int32_t>()[static_cast<size_t>(i)] = static_cast<int32_t>(first_step_ + i);
    }
    constants_.push_back({full, values});
  }
  const int64_t row = step - first_step_;
  return slice_axis(shared(full, {DType::i32, {steps_}}), 0, row, row + 1);
}

Expr Step::hyper(std::string_view name, const Shape& shape) const {
  return inputs_.shared(fmt::format("hyper/{}", name), {inputs_.dtype(), shape});
}

Expr dropout_key_of(ProgramInputs& inputs, const Mode& mode) {
  if (!mode.dropout) return {};
  return inputs.per_lane("dropout_key", {DType::i32, {4}});
}

Expr Step::dropout_key() const {
  return dropout_key_of(inputs_, mode_);
}

Expr Step::batch_y() const {
  const bool gathers_labels = task_.shape.classification && task_.shape.minibatch_rows > 0;
  if (!gathers_labels) return batch(task_.support_y);
  return batch(one_hot(task_.support_y, task_.shape.outputs, inputs_.dtype()));
}

Expr Step::batch(Expr rows) const {
  const int64_t count = task_.shape.minibatch_rows;
  if (count == 0) return rows;
  const Expr chosen = inputs_.per_lane("minibatch", {DType::i32, {inputs_.steps(), count}});
  const int64_t row = number_ - inputs_.first_step();
  return gather(rows, reshape(slice_axis(chosen, 0, row, row + 1), {count}), 0);
}

Expr beside_support(const Task& task, const std::function<Expr(Expr rows)>& network) {
  const int64_t rows = task.shape.support_rows;
  std::vector<Expr> answers;
  for (int64_t q = 0; q < task.shape.query_rows; ++q) {
    const Expr batch = concat({task.support_x, slice_axis(task.query_x, 0, q, q + 1)}, 0);
    answers.push_back(slice_axis(network(batch), 0, rows, rows + 1));
  }
  return concat(answers, 0);
}

}  // namespace outerloop::meta
