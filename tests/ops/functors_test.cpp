// The scalar functors against the C library in long double, over dense sweeps.

#include "ops/functors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace outerloop {
namespace {

using Function = std::function<Scalar(Scalar)>;
using Reference = std::function<long double(long double)>;

// A functor compiled to a body of one element type.
template <class T>
class Compiled {
 public:
  explicit Compiled(const Function& function) {
    ScalarBuilder builder(dtype_of<T>, 1);
    const Scalar result = function(builder.input(0));
    body_ = builder.finish({&result, 1});
    registers_.resize(body_.instructions.size());
  }
  T operator()(T x) {
    T result{};
    evaluate<T>(body_, {&x, 1}, {&result, 1}, registers_);
    return result;
  }

 private:
  ScalarBody body_;
  std::vector<T> registers_;
};

// Distance in units of the last place of the correctly rounded result.
template <class T>
double error_in_ulps(T got, long double expected) {
  const T rounded = static_cast<T>(expected);
  const T up = std::nextafter(std::fabs(rounded), std::numeric_limits<T>::infinity());
  const long double unit = static_cast<long double>(up) - std::fabs(rounded);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - expected) / unit);
}

// 200,001 evenly spaced points of [low, high] and as many evenly spaced in their logarithm.
template <class T>
std::vector<T> sweep(double low, double high) {
  constexpr int kPoints = 200000;
  std::vector<T> points;
  for (int i = 0; i <= kPoints; ++i) {
    points.push_back(static_cast<T>(low + (high - low) * i / kPoints));
    const double tiny = std::pow(10.0, -30.0 * i / kPoints);
    const double end = i % 2 == 0 ? low : high;
    if (low <= 0) points.push_back(static_cast<T>(end * tiny));
  }
  return points;
}

template <class T>
double worst_ulps(const Function& function, const Reference& reference, double low, double high) {
  Compiled<T> compiled(function);
  double worst = 0;
  for (T x : sweep<T>(low, high)) {
    const long double expected = reference(x);
    if (std::fabs(expected) < std::numeric_limits<T>::min()) continue;
    const double error = error_in_ulps(compiled(x), expected);
    EXPECT_TRUE(std::isfinite(error)) << "at " << x;
    worst = std::max(worst, error);
  }
  return worst;
}

template <class T>
double special(const Function& function, double x) {
  return Compiled<T>(function)(static_cast<T>(x));
}

long double logistic(long double x) {
  return 1 / (1 + std::exp(-x));
}

struct Sweep {
  const char* name;
  Function function;
  Reference reference;
  double low, high;
  double ulps_f32, ulps_f64;  // measured, rounded up
};

const std::vector<Sweep>& sweeps() {
  const auto power = [](double p) {
    return std::pair<Function, Reference>(
        [p](Scalar x) { return pow_body(x, p); },
        [p](long double x) { return std::pow(x, static_cast<long double>(p)); });
  };
  static const std::vector<Sweep> all{
      {"exp", exp_body, [](long double x) { return std::exp(x); }, -87, 88, 1.1, 1},
      {"log", log_body, [](long double x) { return std::log(x); }, 1e-3, 1e3, 1, 1},
      {"tanh", tanh_body, [](long double x) { return std::tanh(x); }, -12, 12, 3, 3},
      {"logistic", logistic_body, logistic, -80, 80, 3, 3},
      {"sin", sin_body, [](long double x) { return std::sin(x); }, -30, 30, 2, 2},
      {"cos", cos_body, [](long double x) { return std::cos(x); }, -30, 30, 2, 2},
      {"pow 2.7", power(2.7).first, power(2.7).second, 1e-3, 1e3, 3, 3},
      {"pow -1.5", power(-1.5).first, power(-1.5).second, 1e-3, 1e3, 3, 3},
      {"pow 10.3", power(10.3).first, power(10.3).second, 1e-3, 1e3, 8, 8},
      {"pow 3", power(3).first, power(3).second, -100, 100, 2, 2},
      {"pow -2", power(-2).first, power(-2).second, 1e-3, 100, 2, 2},
  };
  return all;
}

TEST(Functors, AreAccurateInBothTypes) {
  for (const Sweep& s : sweeps()) {
    const double f32 = worst_ulps<float>(s.function, s.reference, s.low, s.high);
    const double f64 = worst_ulps<double>(s.function, s.reference, s.low, s.high);
    RecordProperty(std::string(s.name) + "_f32_ulps", std::to_string(f32));
    RecordProperty(std::string(s.name) + "_f64_ulps", std::to_string(f64));
    EXPECT_LE(f32, s.ulps_f32) << s.name << " in float32";
    EXPECT_LE(f64, s.ulps_f64) << s.name << " in float64";
  }
}

template <class T>
class FunctorEdges : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(FunctorEdges, Types);

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TYPED_TEST(FunctorEdges, ExpOverflowsToInfinityAndUnderflowsToZero) {
  const double far = sizeof(TypeParam) == 4 ? 200 : 2000;
  EXPECT_EQ(special<TypeParam>(exp_body, far), kInfinity);
  EXPECT_EQ(special<TypeParam>(exp_body, -far), 0);
  EXPECT_EQ(special<TypeParam>(exp_body, kInfinity), kInfinity);
  EXPECT_EQ(special<TypeParam>(exp_body, -kInfinity), 0);
  EXPECT_TRUE(std::isnan(special<TypeParam>(exp_body, kNaN)));
  EXPECT_EQ(special<TypeParam>(exp_body, 0), 1);
}

// Around both ends of its range exp jumps from normal results to 0 and to infinity, nothing
// between.
TYPED_TEST(FunctorEdges, ExpIsNormalOrZeroOrInfinity) {
  using Limits = std::numeric_limits<TypeParam>;
  Compiled<TypeParam> exp(exp_body);
  for (double end : {std::log(static_cast<double>(Limits::min())),
                     std::log(static_cast<double>(Limits::max()))}) {
    auto x = static_cast<TypeParam>(end);
    for (int i = 0; i < 1000; ++i) x = std::nextafter(x, static_cast<TypeParam>(-kInfinity));
    for (int i = 0; i < 2000; ++i) {
      const TypeParam y = exp(x);
      EXPECT_TRUE(y == 0 || y >= Limits::min()) << x << " gives " << y;
      const long double exact = std::exp(static_cast<long double>(x));
      if (y == 0) {
        EXPECT_LT(exact, Limits::min() * 1.0000001L) << x;
      } else if (std::isfinite(y)) {
        EXPECT_LE(error_in_ulps(y, exact), 1.5) << x;
      }
      x = std::nextafter(x, static_cast<TypeParam>(kInfinity));
    }
  }
}

TYPED_TEST(FunctorEdges, LogOfZeroNegativeInfiniteAndSubnormal) {
  EXPECT_EQ(special<TypeParam>(log_body, 0), -kInfinity);
  EXPECT_EQ(special<TypeParam>(log_body, -0.0), -kInfinity);
  EXPECT_TRUE(std::isnan(special<TypeParam>(log_body, -1)));
  EXPECT_TRUE(std::isnan(special<TypeParam>(log_body, -kInfinity)));
  EXPECT_TRUE(std::isnan(special<TypeParam>(log_body, kNaN)));
  EXPECT_EQ(special<TypeParam>(log_body, kInfinity), kInfinity);
  EXPECT_EQ(special<TypeParam>(log_body, 1), 0);
  using Limits = std::numeric_limits<TypeParam>;
  Compiled<TypeParam> log(log_body);
  for (TypeParam x : {Limits::denorm_min(), Limits::min() / 3, Limits::min(), Limits::max()}) {
    EXPECT_LE(error_in_ulps(log(x), std::log(static_cast<long double>(x))), 1);
  }
}

TYPED_TEST(FunctorEdges, BoundedFunctionsSaturateAndPassNaN) {
  EXPECT_EQ(special<TypeParam>(tanh_body, kInfinity), 1);
  EXPECT_EQ(special<TypeParam>(tanh_body, -kInfinity), -1);
  EXPECT_EQ(special<TypeParam>(tanh_body, 1e30), 1);
  EXPECT_EQ(special<TypeParam>(tanh_body, 0), 0);
  EXPECT_TRUE(std::isnan(special<TypeParam>(tanh_body, kNaN)));
  EXPECT_EQ(special<TypeParam>(logistic_body, kInfinity), 1);
  EXPECT_EQ(special<TypeParam>(logistic_body, -kInfinity), 0);
  EXPECT_EQ(special<TypeParam>(logistic_body, 0), 0.5);
  EXPECT_TRUE(std::isnan(special<TypeParam>(logistic_body, kNaN)));
  for (double x : {kInfinity, -kInfinity, kNaN}) {
    EXPECT_TRUE(std::isnan(special<TypeParam>(sin_body, x)));
    EXPECT_TRUE(std::isnan(special<TypeParam>(cos_body, x)));
  }
}

TYPED_TEST(FunctorEdges, PowFollowsTheLibrary) {
  for (double p : {2.7, -1.5, 0.5, 3.0, -2.0, 0.0}) {
    const Function power = [p](Scalar x) { return pow_body(x, p); };
    for (double x : {0.0, kInfinity, -1.5, kNaN}) {
      const double expected = std::pow(x, p);
      const double got = special<TypeParam>(power, x);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(got)) << x << "^" << p;
      } else if (expected == 0 || std::isinf(expected)) {
        EXPECT_EQ(got, expected) << x << "^" << p;
      } else {
        EXPECT_NEAR(got / expected, 1, 1e-6) << x << "^" << p;
      }
    }
  }
}

TYPED_TEST(FunctorEdges, PowOverflowsAndUnderflows) {
  const Function steep = [](Scalar x) { return pow_body(x, 300.5); };
  EXPECT_EQ(special<TypeParam>(steep, 1e20), kInfinity);
  EXPECT_EQ(special<TypeParam>(steep, 1e-20), 0);
}

// Good to the last bits near multiples of pi too, as long as the reduction is exact enough.
TYPED_TEST(FunctorEdges, SineKeepsAbsoluteAccuracyFarOut) {
  Compiled<TypeParam> sin(sin_body), cos(cos_body);
  const double tolerance = 1.5 * std::numeric_limits<TypeParam>::epsilon();
  for (int i = 1; i < 100000; ++i) {
    const auto x = static_cast<TypeParam>(i * 0.99937);
    EXPECT_NEAR(sin(x), static_cast<double>(std::sin(static_cast<long double>(x))), tolerance);
    EXPECT_NEAR(cos(x), static_cast<double>(std::cos(static_cast<long double>(x))), tolerance);
  }
}

}  // namespace
}  // namespace outerloop
