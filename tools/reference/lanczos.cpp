#include "reference/lanczos.h"

#include <algorithm>
#include <cmath>

#include "outerloop/base/philox.h"

namespace outerloop::reference {

namespace {

using Vector = std::vector<double>;

constexpr int64_t kMostSteps = 400;
constexpr int kBisections = 200;

double dot(const Vector& a, const Vector& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

void add_scaled(Vector& a, double factor, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
}

void scale(Vector& a, double factor) {
  for (double& value : a) value *= factor;
}

struct Tridiagonal {
  Vector diagonal;
  Vector below;
};

// Eigenvalues below x: sign changes of the Sturm sequence.
size_t count_below(const Tridiagonal& t, double x) {
  size_t count = 0;
  double d = 1;
  for (size_t i = 0; i < t.diagonal.size(); ++i) {
    const double off = i == 0 ? 0 : t.below[i - 1];
    d = t.diagonal[i] - x - off * off / d;
    if (d == 0) d = -1e-300;
    if (d < 0) ++count;
  }
  return count;
}

// The eigenvalue that `rank` others are below.
double eigenvalue(const Tridiagonal& t, size_t rank) {
  double bound = 0;
  for (size_t i = 0; i < t.diagonal.size(); ++i) {
    const double left = i == 0 ? 0 : std::abs(t.below[i - 1]);
    const double right = i < t.below.size() ? std::abs(t.below[i]) : 0;
    bound = std::max(bound, std::abs(t.diagonal[i]) + left + right);
  }
  double low = -bound;
  double high = bound;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2;
    (count_below(t, middle) > rank ? high : low) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

std::pair<double, double> extreme_eigenvalues(int64_t n,
                                              const std::function<Vector(const Vector&)>& apply) {
  Philox random({.purpose = Purpose::test});
  Vector start(static_cast<size_t>(n));
  for (double& value : start) value = random.normal();
  scale(start, 1 / std::sqrt(dot(start, start)));
  std::vector<Vector> basis = {start};
  Tridiagonal t;
  for (int64_t step = 0; step < std::min(n, kMostSteps); ++step) {
    Vector next = apply(basis.back());
    t.diagonal.push_back(dot(next, basis.back()));
    for (int pass = 0; pass < 2; ++pass) {
      for (const Vector& known : basis) add_scaled(next, -dot(next, known), known);
    }
    const double length = std::sqrt(dot(next, next));
    if (length < 1e-12) break;
    t.below.push_back(length);
    scale(next, 1 / length);
    basis.push_back(std::move(next));
  }
  t.below.resize(t.diagonal.size() - 1);
  return {eigenvalue(t, 0), eigenvalue(t, t.diagonal.size() - 1)};
}

}  // namespace outerloop::reference
