#pragma once
// Evaluations of a learner that nobody trained, on threads or on a device.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "outerloop/config/read.h"
#include "outerloop/train/evaluation.h"
#include "outerloop/train/setup.h"
#include "outerloop/train/theta.h"

namespace outerloop::train {

class Evaluation {
 public:
  explicit Evaluation(const config::Resolved& resolved)
      : setup_(make_setup(resolved.config, resolved.folder)) {}

  const Setup& setup() const { return setup_; }

  std::unique_ptr<Evaluator> evaluator(
      ThreadPool& pool, const std::shared_ptr<exec::Device>& device,
      comm::Communicator* ranks = nullptr,
      const std::shared_ptr<DeviceData>& device_data = nullptr) const {
    auto evaluator = std::make_unique<Evaluator>(
        setup_.learner, setup_.test_shape, setup_.test_steps, setup_.test_tasks, pool,
        exec::CompileOptions{}, ranks, device, device_data);
    evaluator->set_theta(theta(1));
    return evaluator;
  }

  EvaluationResult run(const std::shared_ptr<exec::Device>& device, int64_t tasks,
                       comm::Communicator* ranks = nullptr) const {
    ThreadPool pool(1);
    return evaluator(pool, device, ranks)->evaluate(1, data::Split::test, tasks, 1e9);
  }

  // The initial values, but weights so large that the rounding of answers shows in the loss.
  Tensor theta(uint64_t seed) const {
    const optim::ThetaLayout layout = layout_of(setup_.learner.parameters);
    Tensor theta = initial_theta(setup_.learner.parameters, layout, seed);
    for (const optim::ThetaEntry& entry : layout.entries) {
      if (!entry.name.starts_with("net/")) continue;  // rates, moments
      for (int64_t i = 0; i < entry.shape.elements(); ++i) {
        const auto place = static_cast<size_t>(entry.offset + i);
        theta.as<float>()[place] += 0.2F * std::sin(static_cast<float>(place));
      }
    }
    return theta;
  }

 private:
  Setup setup_;
};

// What is not a number is so in both, whatever its bits.
inline void expect_same(const EvaluationResult& got, const EvaluationResult& expected,
                        const std::string& what) {
  SCOPED_TRACE(what);
  const auto bits = [](const std::vector<std::vector<float>>& values) {
    std::vector<uint32_t> result;
    for (const auto& of_step : values) {
      for (const float value : of_step) {
        result.push_back(std::isnan(value) ? ~0U : std::bit_cast<uint32_t>(value));
      }
    }
    return result;
  };
  EXPECT_EQ(got.tasks, expected.tasks);
  EXPECT_GT(bits(got.task_loss).size(), 0u);
  EXPECT_EQ(bits(got.task_loss), bits(expected.task_loss));
  EXPECT_EQ(bits(got.task_accuracy), bits(expected.task_accuracy));
  EXPECT_EQ(got.diverged, expected.diverged);
}

}  // namespace outerloop::train
