#pragma once
// Derivatives of plain scalar loops, for expected values that owe nothing to the engine: a tape
// records every operation, its reverse sweep gives gradients, and every number carries its slope
// along one direction, so that the slope of a gradient is exact second order.

#include <cmath>
#include <cstddef>
#include <vector>

namespace outerloop::plain {

struct Dual {
  double value = 0;
  double slope = 0;
};
inline Dual operator+(Dual a, Dual b) {
  return {a.value + b.value, a.slope + b.slope};
}
inline Dual operator-(Dual a, Dual b) {
  return {a.value - b.value, a.slope - b.slope};
}
inline Dual operator*(Dual a, Dual b) {
  return {a.value * b.value, a.slope * b.value + a.value * b.slope};
}
inline Dual operator/(Dual a, Dual b) {
  const double quotient = a.value / b.value;
  return {quotient, (a.slope - quotient * b.slope) / b.value};
}

class Tape {
 public:
  struct Node {
    int parents[2];
    Dual partials[2];
  };
  int add(const Node& node) {
    nodes_.push_back(node);
    return static_cast<int>(nodes_.size()) - 1;
  }
  // d node / d every node.
  std::vector<Dual> sweep(int node) const {
    std::vector<Dual> result(nodes_.size());
    result[static_cast<size_t>(node)] = {1, 0};
    for (size_t i = static_cast<size_t>(node) + 1; i-- > 0;) {
      for (int side = 0; side < 2; ++side) {
        if (nodes_[i].parents[side] < 0) continue;
        Dual& parent = result[static_cast<size_t>(nodes_[i].parents[side])];
        parent = parent + result[i] * nodes_[i].partials[side];
      }
    }
    return result;
  }

 private:
  std::vector<Node> nodes_;
};

// A number on a tape, or a constant.
struct Scalar {
  Dual value;
  Tape* tape = nullptr;
  int place = -1;

  Scalar(double constant = 0) : value{constant, 0} {}
  Scalar(Dual constant) : value(constant) {}
  Scalar(Dual result, Tape* on, const Tape::Node& node) : value(result), tape(on) {
    if (tape != nullptr) place = tape->add(node);
  }
};

inline Scalar leaf(Tape& tape, Dual value) {
  return Scalar(value, &tape, {{-1, -1}, {}});
}
inline Scalar unary(const Scalar& x, Dual value, Dual partial) {
  return Scalar(value, x.tape, {{x.place, -1}, {partial, {}}});
}
inline Scalar binary(const Scalar& a, const Scalar& b, Dual value, Dual by_a, Dual by_b) {
  return Scalar(value, a.tape ? a.tape : b.tape, {{a.place, b.place}, {by_a, by_b}});
}

inline Scalar operator+(const Scalar& a, const Scalar& b) {
  return binary(a, b, a.value + b.value, {1, 0}, {1, 0});
}
inline Scalar operator-(const Scalar& a, const Scalar& b) {
  return binary(a, b, a.value - b.value, {1, 0}, {-1, 0});
}
inline Scalar operator*(const Scalar& a, const Scalar& b) {
  return binary(a, b, a.value * b.value, b.value, a.value);
}
inline Scalar operator/(const Scalar& a, const Scalar& b) {
  const Dual quotient = a.value / b.value;
  return binary(a, b, quotient, Dual{1, 0} / b.value, Dual{-1, 0} * quotient / b.value);
}
inline Scalar exp(const Scalar& x) {
  const double y = std::exp(x.value.value);
  const Dual value{y, y * x.value.slope};
  return unary(x, value, value);
}
inline Scalar log(const Scalar& x) {
  return unary(x, {std::log(x.value.value), x.value.slope / x.value.value}, Dual{1, 0} / x.value);
}
inline Scalar sqrt(const Scalar& x) {
  const double y = std::sqrt(x.value.value);
  const Dual value{y, x.value.slope / (2 * y)};
  return unary(x, value, Dual{0.5, 0} / value);
}
inline Scalar tanh(const Scalar& x) {
  const double y = std::tanh(x.value.value);
  const Dual value{y, (1 - y * y) * x.value.slope};
  return unary(x, value, Dual{1, 0} - value * value);
}
inline Scalar max(const Scalar& a, const Scalar& b) {
  return a.value.value >= b.value.value ? a : b;
}

}  // namespace outerloop::plain
