#include "meta/segment.h"

#include <algorithm>

#include "meta/prune.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

Shape with_rows(int64_t rows, const Shape& example) {
  Shape shape{rows};
  for (const int64_t extent : example) shape.append(extent);
  return shape;
}

namespace {

TensorType answers_type(const TaskShape& shape, int64_t rows, DType dtype) {
  if (shape.classification) return {DType::i32, {rows}};
  return {dtype, {rows, shape.outputs}};
}

}  // namespace

ValueTypes types_of(const Values& values) {
  ValueTypes types;
  for (const auto& [name, value] : values) types.emplace_back(name, value.type());
  return types;
}

Segment::Segment(const Learner& learner, const TaskShape& shape, DType dtype, Mode mode,
                 int64_t first, int64_t end)
    : learner_(learner), mode_(mode), inputs_(builder_, dtype, first, end - first) {
  for (const nn::ParameterSpec& spec : learner.parameters) {
    theta_.set(spec.name, inputs_.shared("theta/" + spec.name, {dtype, spec.shape}));
  }
  const auto rows_type = [&](int64_t rows) {
    return TensorType{dtype, with_rows(rows, shape.example)};
  };
  task_.shape = shape;
  task_.support_x = inputs_.per_lane("support_x", rows_type(shape.support_rows));
  task_.support_y = inputs_.per_lane("support_y", answers_type(shape, shape.support_rows, dtype));
  task_.query_x = inputs_.per_lane("query_x", rows_type(shape.query_rows));
  task_.query_y = inputs_.per_lane("query_y", answers_type(shape, shape.query_rows, dtype));
}

void Segment::enter_at_start() {
  states_.push_back(learner_.init(theta_));
}

void Segment::enter(const ValueTypes& state) {
  states_.push_back(input("state", state));
}

void Segment::run_steps() {
  steps_.reserve(static_cast<size_t>(inputs_.steps()));
  for (int64_t k = first(); k < end(); ++k) {
    steps_.emplace_back(inputs_, task_, k, mode_);
    results_.push_back(learner_.step(theta_, states_.back(), steps_.back()));
    states_.push_back(results_.back().state);
  }
}

void Segment::enter_at_end(const ValueTypes& state) {
  for (int64_t k = first(); k < end(); ++k) steps_.emplace_back(inputs_, task_, k, mode_);
  states_.assign(steps_.size() + 1, input("state", state));
}

Query Segment::query() {
  if (steps_.empty()) return {task_, nullptr, dropout_key_of(inputs_, mode_)};
  return {task_, &steps_.back(), steps_.back().dropout_key()};
}

void Segment::output(const std::string& prefix, const Values& values) {
  for (const auto& [name, value] : values) builder_.output(prefix + "/" + name, value);
}

Values Segment::input(const std::string& prefix, const ValueTypes& types) {
  Values values;
  for (const auto& [name, type] : types) {
    values.set(name, inputs_.per_lane(prefix + "/" + name, type));
  }
  return values;
}

Call Segment::finish() {
  const Program program = without_unused(builder_.finish());
  verify(program);
  Call call{.constants = {}, .first_step = first(), .steps = inputs_.steps()};
  for (const Constant& constant : inputs_.constants()) {
    if (program.input_index(constant.name) >= 0) call.constants.push_back(constant);
  }
  call.program = std::make_shared<const Program>(program);
  return call;
}

void add_to(Values& sums, const Values& terms) {
  for (const auto& [name, term] : terms) sums.set(name, plus(sums.find(name), term));
}

Cotangents pull_back(Builder& builder, const Values& outputs, const Values& cotangents,
                     const Values& theta, const Values& state) {
  const std::vector<Expr> parameters = theta.exprs();
  const auto is_parameter = [&](Expr value) {
    return std::ranges::any_of(parameters, [&](Expr p) { return p.id() == value.id(); });
  };
  std::vector<Expr> sources = parameters;
  std::vector<std::string> state_names;
  for (const auto& [name, value] : state) {
    if (is_parameter(value)) continue;
    sources.push_back(value);
    state_names.push_back(name);
  }
  std::vector<Expr> targets;
  std::vector<Expr> target_cotangents;
  for (const auto& [name, cotangent] : cotangents) {
    targets.push_back(outputs.at(name));
    target_cotangents.push_back(cotangent);
  }
  const std::vector<Expr> results = vjp(builder, targets, sources, target_cotangents);
  Cotangents pulled;
  size_t place = 0;
  for (const auto& [name, value] : theta) pulled.theta.set(name, results[place++]);
  for (const std::string& name : state_names) pulled.state.set(name, results[place++]);
  return pulled;
}

}  // namespace outerloop::meta
