#include "outerloop/data/function_families.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "data/draws.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "support/message_of.h"

namespace outerloop::data {
namespace {

double parameter(const TaskDescription& task, const std::string& name) {
  for (const auto& [key, value] : task.parameters) {
    if (key == name) return value;
  }
  return std::nan("");
}

TEST(Sinusoid, HasColumnsOfInputsAndTargets) {
  const auto family = make_sinusoid({.shots = 5, .queries = 10});
  EXPECT_EQ(family->spec().support_x.shape, (Shape{5, 1}));
  EXPECT_EQ(family->spec().query_y.shape, (Shape{10, 1}));
  EXPECT_EQ(family->spec().query_y.dtype, DType::f32);
  EXPECT_FALSE(family->spec().classification);
  EXPECT_FALSE(family->spec().minibatches.has_value());
}

TEST(Sinusoid, TargetsAreTheSineOfTheDescribedTask) {
  const auto family = make_sinusoid({.shots = 10, .queries = 10});
  for (uint32_t slot = 0; slot < 50; ++slot) {
    const TaskKey key{.seed = 1, .iteration = 7, .slot = slot};
    Episode episode = drawn(*family, key);
    const TaskDescription task = family->describe(key);
    const double amplitude = parameter(task, "amplitude");
    const double phase = parameter(task, "phase");
    for (int i = 0; i < 10; ++i) {
      const auto at = static_cast<size_t>(i);
      const double sx = episode.support_x.as<float>()[at];
      const double qx = episode.query_x.as<float>()[at];
      EXPECT_NEAR(episode.support_y.as<float>()[at], amplitude * std::sin(sx - phase), 1e-5);
      EXPECT_NEAR(episode.query_y.as<float>()[at], amplitude * std::sin(qx - phase), 1e-5);
    }
  }
}

TEST(Sinusoid, DrawsEvenlyOverItsRanges) {
  const auto family = make_sinusoid({.shots = 1, .queries = 1});
  constexpr uint32_t kTasks = 20'000;
  std::array<double, 3> low = {1e9, 1e9, 1e9};
  std::array<double, 3> high = {-1e9, -1e9, -1e9};
  std::array<double, 3> sum{};
  for (uint32_t slot = 0; slot < kTasks; ++slot) {
    const TaskKey key{.seed = 2, .slot = slot};
    const TaskDescription task = family->describe(key);
    const std::array<double, 3> values = {parameter(task, "amplitude"), parameter(task, "phase"),
                                          drawn(*family, key).query_x.as<float>()[0]};
    for (size_t i = 0; i < 3; ++i) {
      low.at(i) = std::min(low.at(i), values.at(i));
      high.at(i) = std::max(high.at(i), values.at(i));
      sum.at(i) += values.at(i);
    }
  }
  const std::array<double, 3> from = {0.1, 0, -5};
  const std::array<double, 3> to = {5.0, 3.14159265, 5};
  for (size_t i = 0; i < 3; ++i) {
    const double width = to.at(i) - from.at(i);
    EXPECT_GE(low.at(i), from.at(i) - 1e-6);
    EXPECT_LT(low.at(i), from.at(i) + 0.001 * width);
    EXPECT_LE(high.at(i), to.at(i) + 1e-6);
    EXPECT_GT(high.at(i), to.at(i) - 0.001 * width);
    EXPECT_NEAR(sum.at(i) / kTasks, from.at(i) + width / 2, 5 * width / std::sqrt(12.0 * kTasks));
  }
}

TEST(Sinusoid, TakesOtherRanges) {
  const auto family = make_sinusoid({.shots = 20, .queries = 1},
                                    {.amplitude = {2, 2}, .phase = {0.5F, 0.5F}, .x = {10, 11}});
  Episode episode = drawn(*family, {.seed = 3});
  for (const float x : episode.support_x.as<float>()) {
    EXPECT_GE(x, 10.0F);
    EXPECT_LE(x, 11.0F);
  }
  EXPECT_EQ(parameter(family->describe({.seed = 3}), "amplitude"), 2.0);
}

TEST(Sinusoid, SplitsAreDifferentTasks) {
  const auto family = make_sinusoid({.shots = 5, .queries = 5});
  const Bits train = bits(drawn(*family, {.seed = 1, .split = Split::train}));
  const Bits validation = bits(drawn(*family, {.seed = 1, .split = Split::validation}));
  const Bits test = bits(drawn(*family, {.seed = 1, .split = Split::test}));
  EXPECT_NE(train, validation);
  EXPECT_NE(train, test);
  EXPECT_NE(validation, test);
}

TEST(Families, AreAPureFunctionOfTheKeyInAnyOrderAndThread) {
  const EpisodeShape shape{.shots = 10, .queries = 7, .minibatch_steps = 3, .minibatch_rows = 4};
  for (const auto& family : {std::shared_ptr<TaskFamily>(make_sinusoid(shape)),
                             std::shared_ptr<TaskFamily>(make_harmonic(shape))}) {
    expect_pure(*family);
  }
}

TEST(Harmonic, TargetsAreTheSumOfTwoSines) {
  const auto family = make_harmonic({.shots = 10, .queries = 10});
  for (uint32_t slot = 0; slot < 50; ++slot) {
    const TaskKey key{.seed = 4, .slot = slot};
    Episode episode = drawn(*family, key);
    const TaskDescription task = family->describe(key);
    const double f = parameter(task, "frequency");
    EXPECT_GE(f, 5.0);
    EXPECT_LE(f, 7.0);
    for (size_t i = 0; i < 10; ++i) {
      const double x = episode.query_x.as<float>()[i];
      const double y =
          parameter(task, "amplitude_1") * std::sin(f * x + parameter(task, "phase_1")) +
          parameter(task, "amplitude_2") * std::sin(2 * f * x + parameter(task, "phase_2"));
      // Rounding of the argument (up to about 100) shows in the sine.
      EXPECT_NEAR(episode.query_y.as<float>()[i], y, 2e-4);
      EXPECT_LT(std::abs(x - parameter(task, "centre")), 6);
    }
  }
}

TEST(Harmonic, NoiseHasTheGivenDeviation) {
  const EpisodeShape shape{.shots = 1, .queries = 20'000};
  const auto noisy = make_harmonic(shape, {.noise = 0.5F});
  Episode episode = drawn(*noisy, {.seed = 5});
  const TaskDescription task = noisy->describe({.seed = 5});
  const double f = parameter(task, "frequency");
  double squares = 0;
  for (size_t i = 0; i < 20'000; ++i) {
    const double x = episode.query_x.as<float>()[i];
    const double y =
        parameter(task, "amplitude_1") * std::sin(f * x + parameter(task, "phase_1")) +
        parameter(task, "amplitude_2") * std::sin(2 * f * x + parameter(task, "phase_2"));
    squares += std::pow(episode.query_y.as<float>()[i] - y, 2);
  }
  EXPECT_NEAR(std::sqrt(squares / 20'000), 0.5, 0.015);
}

TEST(Families, RefuseWhatTheyCannotDraw) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THROW(make_sinusoid({.ways = 2}), BadInput);
  EXPECT_THROW(make_sinusoid({.shots = 0}), BadInput);
  EXPECT_THROW(make_sinusoid({.shots = -3}), BadInput);
  EXPECT_THROW(make_sinusoid({.queries = 0}), BadInput);
  EXPECT_THROW(make_sinusoid({.minibatch_steps = 2}), BadInput);
  EXPECT_THROW(make_sinusoid({}, {.amplitude = {2, 1}}), BadInput);
  EXPECT_THROW(make_sinusoid({}, {.x = {0, infinity}}), BadInput);
  EXPECT_THROW(make_sinusoid({}, {.x = {0, 1e6F}}), BadInput);
  EXPECT_THROW(make_harmonic({}, {.frequency = {std::nanf(""), 7}}), BadInput);
  EXPECT_THROW(make_harmonic({}, {.noise = -1}), BadInput);
}

TEST(Families, NameTheirOwnOptionsInMessages) {
  EXPECT_EQ(message_of<BadInput>([] {
              make_sinusoid({}, {.amplitude = {2, 1}});
            }),
            "amplitude must be a range low <= high of finite numbers, got [2, 1]");
  EXPECT_EQ(message_of<BadInput>([] { make_harmonic({}, {.noise = -1}); }),
            "noise must be a standard deviation >= 0, got -1");
  EXPECT_EQ(message_of<BadInput>([] { make_sinusoid({.ways = 2}); }),
            "ways must be 1 for a regression family, got 2");
  EXPECT_EQ(message_of<BadInput>([] { make_sinusoid({.shots = 0}); }),
            "shots must be at least 1, got 0");
}

TEST(Families, BuffersOfTheWrongSizeAreADefect) {
  const auto family = make_sinusoid({.shots = 2, .queries = 2});
  Episode episode(family->spec());
  EpisodeBuffers buffers = episode.buffers();
  buffers.query_x = buffers.query_x.first(1);
  EXPECT_THROW(family->draw({}, buffers), InternalError);
}

TEST(Minibatches, ArePassesOverTheRows) {
  const auto family =
      make_sinusoid({.shots = 10, .queries = 1, .minibatch_steps = 5, .minibatch_rows = 4});
  Episode episode = drawn(*family, {.seed = 6, .iteration = 2});
  EXPECT_EQ(episode.minibatches.shape(), (Shape{5, 4}));
  const auto rows = episode.minibatches.as<int32_t>();
  for (size_t pass = 0; pass < 2; ++pass) {
    std::vector<int32_t> seen(rows.begin() + static_cast<ptrdiff_t>(pass * 10),
                              rows.begin() + static_cast<ptrdiff_t>(pass * 10 + 10));
    std::ranges::sort(seen);
    for (int32_t i = 0; i < 10; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
  }
  EXPECT_FALSE(std::equal(rows.begin(), rows.begin() + 10, rows.begin() + 10));
}

TEST(Minibatches, MayBeLargerThanTheSupportSet) {
  const auto family =
      make_sinusoid({.shots = 2, .queries = 1, .minibatch_steps = 1, .minibatch_rows = 7});
  Episode episode = drawn(*family, {.seed = 6});
  std::array<int, 2> count{};
  for (const int32_t row : episode.minibatches.as<int32_t>()) {
    ++count.at(static_cast<size_t>(row));
  }
  EXPECT_EQ(count[0] + count[1], 7);
  EXPECT_GE(std::min(count[0], count[1]), 3);
}

}  // namespace
}  // namespace outerloop::data
