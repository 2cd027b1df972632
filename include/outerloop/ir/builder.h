#pragma once
// Writes programs so that they read like mathematics:
//
//   Builder builder;
//   Expr x = builder.input("x", {DType::f32, {10, 1}}, Binding::per_lane);
//   Expr h = relu(matmul(x, w) + b);       // functions and operators: outerloop/ops/ops.h
//   builder.output("h", h);
//   Program program = builder.finish();

#include <string>
#include <string_view>
#include <vector>

#include "outerloop/ir/program.h"

namespace outerloop {

class Builder;

// A value of a program being built. Cheap to copy. An invalid Expr stands for a symbolic zero in
// differentiation.
class Expr {
 public:
  Expr() = default;
  Expr(Builder* builder, ValueId id) : builder_(builder), id_(id) {}

  bool valid() const { return builder_ != nullptr; }
  Builder& builder() const { return *builder_; }
  ValueId id() const { return id_; }
  // By value: the program moves its types when it grows.
  TensorType type() const;
  Shape shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }

 private:
  Builder* builder_ = nullptr;
  ValueId id_;
};

class Builder {
 public:
  Builder() = default;
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  Expr input(std::string name, TensorType type, Binding binding);
  // Names are unique; throws InternalError otherwise.
  void output(std::string name, Expr value);

  // Appends one equation; its output types come from the record. Throws BadInput on wrong types.
  Expr apply(const OpDef& op, std::span<const Expr> inputs, Attributes attributes = {});
  Expr apply(const OpDef& op, std::initializer_list<Expr> inputs, Attributes attributes = {}) {
    return apply(op, std::span<const Expr>(inputs.begin(), inputs.size()), std::move(attributes));
  }
  std::vector<Expr> apply_multiple(const OpDef& op, std::span<const Expr> inputs,
                                   Attributes attributes);

  // Appends another program's equations with its inputs bound to `arguments`; gives its outputs.
  std::vector<Expr> inline_program(const Program& program, std::span<const Expr> arguments);

  const Program& program() const { return program_; }
  Expr expr(ValueId id) { return {this, id}; }
  // Hands the program over; the builder is empty afterwards. Verified.
  Program finish();

 private:
  Program program_;
};

}  // namespace outerloop
