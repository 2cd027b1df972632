#include "outerloop/base/student_t.h"

#include <gtest/gtest.h>

#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

// Computed to 30 digits by inverting the incomplete beta function.
TEST(StudentT, QuantilesAreExact) {
  const auto expect = [](double p, int64_t freedom, double value) {
    EXPECT_NEAR(student_t_quantile(p, freedom), value, 1e-13 * std::abs(value)) << freedom;
  };
  expect(0.975, 1, 12.706204736174694);
  expect(0.975, 3, 3.1824463052837086);
  expect(0.9, 7, 1.4149239276505086);
  expect(0.995, 2000, 2.5782897875575186);
  expect(0.995, 2001, 2.578288556825569);
  expect(0.975, 100000, 1.9599877075346093);
}

TEST(StudentT, IsSymmetric) {
  EXPECT_EQ(student_t_quantile(0.25, 5), -student_t_quantile(0.75, 5));
  EXPECT_NEAR(student_t_quantile(0.5, 5), 0, 1e-300);
  EXPECT_THROW(student_t_quantile(0.5, 0), BadInput);
  EXPECT_THROW(student_t_quantile(1, 3), BadInput);
}

}  // namespace
}  // namespace outerloop
