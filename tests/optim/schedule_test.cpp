// Rates and layouts of the outer loop.

#include <gtest/gtest.h>

#include <cmath>

#include "outerloop/optim/outer.h"

namespace outerloop::optim {
namespace {

config::Outer outer_with(config::Schedule schedule) {
  config::Outer outer;
  outer.schedule = schedule;
  outer.rate = 0.1;
  outer.final_rate = 0.02;
  outer.iterations = 100;
  return outer;
}

TEST(Schedule, ConstantStaysTheSame) {
  const config::Outer outer = outer_with(config::Schedule::constant);
  EXPECT_EQ(rate_at(outer, 0), 0.1);
  EXPECT_EQ(rate_at(outer, 99), 0.1);
}

TEST(Schedule, CosineFallsFromRateToFinalRate) {
  const config::Outer outer = outer_with(config::Schedule::cosine);
  EXPECT_EQ(rate_at(outer, 0), 0.1);
  EXPECT_NEAR(rate_at(outer, 50), 0.06, 1e-15);
  EXPECT_NEAR(rate_at(outer, 100), 0.02, 1e-15);
  EXPECT_NEAR(rate_at(outer, 25), 0.02 + 0.08 * (1 + std::sqrt(0.5)) / 2, 1e-15);
}

TEST(Schedule, LinearFallsEvenly) {
  const config::Outer outer = outer_with(config::Schedule::linear);
  EXPECT_NEAR(rate_at(outer, 25), 0.08, 1e-15);
  EXPECT_NEAR(rate_at(outer, 75), 0.04, 1e-15);
}

TEST(Schedule, StepCutsEverySoOften) {
  config::Outer outer = outer_with(config::Schedule::step);
  outer.schedule_every = 20;
  outer.step_factor = 0.5;
  EXPECT_EQ(rate_at(outer, 19), 0.1);
  EXPECT_EQ(rate_at(outer, 20), 0.05);
  EXPECT_EQ(rate_at(outer, 99), 0.1 / 16);
}

TEST(Schedule, ALongerTrainingHasOtherRatesIfTheEndIsNeeded) {
  for (const auto schedule : {config::Schedule::constant, config::Schedule::cosine,
                              config::Schedule::linear, config::Schedule::step}) {
    const config::Outer outer = outer_with(schedule);
    config::Outer longer = outer;
    longer.iterations *= 2;
    EXPECT_EQ(rate_at(outer, 30) != rate_at(longer, 30), rate_needs_the_end(outer))
        << config::word(schedule);
  }
}

TEST(Schedule, ByEpochHoldsTheRateBetweenChanges) {
  config::Outer outer = outer_with(config::Schedule::cosine);
  outer.schedule_every = 10;
  EXPECT_EQ(rate_at(outer, 29), rate_at(outer, 20));
  EXPECT_LT(rate_at(outer, 30), rate_at(outer, 29));
}

TEST(Schedule, WarmupRisesToTheScheduledRate) {
  config::Outer outer = outer_with(config::Schedule::constant);
  outer.warmup = 4;
  EXPECT_NEAR(rate_at(outer, 0), 0.02, 1e-15);
  EXPECT_NEAR(rate_at(outer, 3), 0.08, 1e-15);
  EXPECT_EQ(rate_at(outer, 4), 0.1);
}

TEST(OuterScalars, CorrectTheBiasOfAdamByUpdates) {
  config::Outer outer = outer_with(config::Schedule::linear);
  const OuterScalars first = outer_scalars(outer, 0, 0);
  EXPECT_NEAR(first.correction1, 10, 1e-12);
  EXPECT_NEAR(first.correction2, 1000, 1e-9);
  EXPECT_NEAR(outer_scalars(outer, 1, 1).correction1, 1 / (1 - 0.81), 1e-12);
  // Iterations whose update was skipped move the schedule on, not the correction.
  const OuterScalars later = outer_scalars(outer, 25, 0);
  EXPECT_EQ(later.correction1, first.correction1);
  EXPECT_EQ(later.correction2, first.correction2);
  EXPECT_EQ(later.rate, rate_at(outer, 25));
  outer.optimizer = config::OuterOptimizer::sgd;
  EXPECT_EQ(outer_scalars(outer, 0, 0).correction1, 1);
}

TEST(ThetaLayout, AlignsEachTensor) {
  const std::vector<std::pair<std::string, Shape>> parameters = {
      {"a", {3, 5}}, {"b", {}}, {"c", {16}}, {"d", {17}}};
  const ThetaLayout layout = make_theta_layout(parameters);
  EXPECT_EQ(layout.find("a")->offset, 0);
  EXPECT_EQ(layout.find("b")->offset, 16);
  EXPECT_EQ(layout.find("c")->offset, 32);
  EXPECT_EQ(layout.find("d")->offset, 48);
  EXPECT_EQ(layout.elements, 80);
  EXPECT_EQ(layout.find("e"), nullptr);
}

}  // namespace
}  // namespace outerloop::optim
