// What learners compute, apart from gradients: adaptation curves, answers, metrics.

#include <gtest/gtest.h>

#include <cmath>

#include "meta/cases.h"
#include "outerloop/config/algorithms.h"
#include "outerloop/config/limits.h"
#include "outerloop/exec/oracle.h"

namespace outerloop::meta::testing {
namespace {

std::vector<NamedTensors> evaluate(const Case& test, const NamedTensors& inputs, int64_t steps) {
  ProgramRunner runner(reference::oracle());
  return run_evaluation(make_evaluation_plan(learner_of(test), test.shape, steps, DType::f64),
                        inputs, runner);
}

class AnyExactLearner : public ::testing::TestWithParam<Case> {};

// The same adaptation in training and test: their last losses agree.
TEST_P(AnyExactLearner, EvaluatesToTheTrainingLoss) {
  Case test = GetParam();
  test.config.model.dropout = 0;
  test.config.learner.multi_step_loss_epochs = 0;
  const Learner learner = learner_of(test);
  const NamedTensors inputs = inputs_of(test, learner, DType::f64);
  ProgramRunner runner(reference::oracle());
  const NamedTensors training =
      run_gradient(make_gradient_plan(learner, test.shape, DType::f64), inputs, runner);
  const auto calls = evaluate(test, inputs, learner.steps);
  EXPECT_NEAR(number(calls.back(), "loss"), number(training, "loss"), 1e-14);
  if (test.shape.classification) {
    EXPECT_EQ(number(calls.back(), "accuracy"), number(training, "accuracy"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, AnyExactLearner, ::testing::ValuesIn(exact_cases()), name_of_case);

TEST(Adaptation, LowersTheSupportLoss) {
  const Case& test = case_called("maml");
  const auto calls = evaluate(test, inputs_of(test, learner_of(test), DType::f64), 40);
  EXPECT_LT(number(calls[40], "support_loss"), 0.9 * number(calls[1], "support_loss"));
}

TEST(Adaptation, TakesTheRowsOfItsMinibatches) {
  const Case& test = case_called("maml_minibatch");
  const Learner learner = learner_of(test);
  NamedTensors inputs = inputs_of(test, learner, DType::f64);
  inputs["minibatch"] = Tensor::from<int32_t>({3, 2}, {0, 1, 2, 3, 4, 5});
  const auto once = evaluate(test, inputs, 3);
  inputs["minibatch"] = Tensor::from<int32_t>({3, 2}, {1, 0, 3, 2, 5, 4});
  EXPECT_NEAR(number(evaluate(test, inputs, 3)[3], "loss"), number(once[3], "loss"), 1e-14);
  inputs["minibatch"] = Tensor::from<int32_t>({3, 2}, {4, 5, 2, 3, 0, 1});
  EXPECT_GT(std::abs(number(evaluate(test, inputs, 3)[3], "loss") - number(once[3], "loss")), 1e-6);
}

TEST(Adaptation, ChangesWhatTheAlgorithmSays) {
  const auto adapted = [](const std::string& name) {
    const Case& test = case_called(name);
    const auto calls = evaluate(test, inputs_of(test, learner_of(test), DType::f64), 1);
    std::vector<std::string> names;
    for (const auto& [output, value] : calls[1]) {
      if (output.starts_with("state/")) names.push_back(output.substr(6));
    }
    return names;
  };
  EXPECT_EQ(adapted("anil"), (std::vector<std::string>{"net/head/bias", "net/head/weight"}));
  EXPECT_EQ(adapted("boil"), (std::vector<std::string>{"net/dense1/bias", "net/dense1/weight",
                                                       "net/dense2/bias", "net/dense2/weight"}));
  // Scales and shifts stay as they are, unless inner.adapt_norm.
  EXPECT_EQ(adapted("maml_batch_norm").size(), 6u);
  EXPECT_EQ(adapted("maml_layer_norm").size(), 10u);
}

TEST(Answers, OfOneQueryDoNotDependOnTheOthersUnlessTransductive) {
  for (const std::string name : {"maml_one_by_one", "protonet_one_by_one"}) {
    Case test = case_called(name);
    const Learner learner = learner_of(test);
    const int64_t steps = learner.steps;
    NamedTensors inputs = inputs_of(test, learner, DType::f64);
    NamedTensors changed = inputs;
    changed["query_x"] = inputs["query_x"].clone();
    changed["query_x"].as<double>()[4] += 1;  // the second query
    const auto first_answer = [&](const NamedTensors& given) {
      const auto all = evaluate(test, given, steps).back().at("prediction").to_doubles();
      return std::vector<double>(all.begin(), all.begin() + 3);
    };
    EXPECT_EQ(first_answer(inputs), first_answer(changed)) << name;
    test.config.learner.transductive = true;
    EXPECT_NE(first_answer(inputs), first_answer(changed)) << name;
  }
}

TEST(Answers, OfFewerWaysUseTheFirstOutputs) {
  const Case& trained = case_called("maml_classes");
  const Learner learner = learner_of(trained);
  NamedTensors inputs = inputs_of(trained, learner, DType::f64);
  Case test = trained;
  test.shape.outputs = 2;
  inputs["support_y"] = inputs["query_y"] = Tensor::from<int32_t>({6}, {0, 1, 0, 1, 0, 1});
  ProgramRunner runner(reference::oracle());
  const auto plan = make_evaluation_plan(learner, test.shape, 1, DType::f64);
  const auto calls = run_evaluation(plan, inputs, runner);
  EXPECT_EQ(calls[1].at("prediction").shape(), (Shape{6, 2}));
  // The third output is out of play: its weights keep their start.
  const auto before = inputs.at("theta/net/head/bias").to_doubles();
  const auto after = calls[1].at("state/net/head/bias").to_doubles();
  EXPECT_NE(before[0], after[0]);
  EXPECT_EQ(before[2], after[2]);
}

// The loss of the first step is that of the same rows as queries before it, in minibatches too.
TEST(Answers, OfFewerWaysAreLearnedByTheFirstOutputs) {
  ProgramRunner runner(reference::oracle());
  for (const config::Algorithm& algorithm : config::kAlgorithms) {
    Case test = case_called("maml_classes");
    test.config.learner.algorithm = algorithm.name;
    const Learner learner = learner_of(test);
    if (learner.head_outputs < 0) continue;
    NamedTensors inputs = inputs_of(test, learner, DType::f64);
    inputs["query_x"] = inputs["support_x"];
    inputs["support_y"] = inputs["query_y"] = Tensor::from<int32_t>({6}, {0, 1, 0, 1, 0, 1});
    inputs["minibatch"] = Tensor::from<int32_t>({1, 6}, {0, 1, 2, 3, 4, 5});
    test.shape.outputs = 2;
    for (const int64_t minibatch_rows : {0, 6}) {
      test.shape.minibatch_rows = minibatch_rows;
      const auto plan = make_evaluation_plan(learner, test.shape, 1, DType::f64);
      const auto calls = run_evaluation(plan, inputs, runner);
      EXPECT_EQ(calls[1].at("prediction").shape(), (Shape{6, 2})) << algorithm.name;
      EXPECT_NEAR(number(calls[1], "support_loss"), number(calls[0], "loss"), 1e-14)
          << algorithm.name << ", minibatches of " << minibatch_rows;
    }
  }
}

TEST(Prototypes, AreMeansOverClassesOfAnySize) {
  Case test = case_called("protonet");
  test.config.model.hidden = {4};  // linear
  const Learner learner = learner_of(test);
  NamedTensors inputs = inputs_of(test, learner, DType::f64);
  Tensor identity(DType::f64, {4, 4});
  for (size_t i = 0; i < 4; ++i) identity.as<double>()[5 * i] = 1;
  inputs["theta/net/dense1/weight"] = identity;
  inputs["theta/net/dense1/bias"] = Tensor(DType::f64, {4});
  inputs["support_y"] = Tensor::from<int32_t>({6}, {0, 0, 0, 1, 1, 2});
  const auto logits = evaluate(test, inputs, 0)[0].at("prediction").to_doubles();
  const auto support = inputs["support_x"].to_doubles();
  const auto query = inputs["query_x"].to_doubles();
  double expected = 0;
  for (size_t f = 0; f < 4; ++f) {
    const double mean = (support[f] + support[4 + f] + support[8 + f]) / 3;
    expected -= std::pow(query[f] - mean, 2);
  }
  EXPECT_NEAR(logits[0], expected, 1e-13);
}

// A ridge of next to no strength is least squares whatever the weights that it is pulled to, one of
// great strength leaves these alone.
TEST(RidgeToNumbers, LiesBetweenItsRowsAndTheLearnedWeights) {
  Case test = case_called("r2d2_of_numbers");
  test.config.model.hidden = {9};  // linear
  test.shape.query_rows = test.shape.support_rows;
  NamedTensors inputs = inputs_of(test, learner_of(test), DType::f64);
  inputs["query_x"] = inputs["support_x"];
  const auto answers = [&](double lambda) {
    inputs["theta/head/lambda"] = Tensor::from<double>({}, {lambda});
    return evaluate(test, inputs, 0)[0].at("prediction").to_doubles();
  };
  const auto targets = inputs["support_y"].to_doubles();
  const auto loose = answers(config::kLeastRidge);
  const auto x = inputs["support_x"].to_doubles();
  const auto dense = inputs["theta/net/dense1/weight"].to_doubles();
  const auto offset = inputs["theta/net/dense1/bias"].to_doubles();
  const auto head = inputs["theta/head/weight"].to_doubles();
  const auto strict = answers(1e12);
  ASSERT_EQ(targets.size(), 12u);
  double loose_error = 0, strict_error = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    double expected = 0;
    for (size_t f = 0; f < 9; ++f) {
      double feature = offset[f];
      for (size_t c = 0; c < 3; ++c) feature += x[i / 2 * 3 + c] * dense[c * 9 + f];
      expected += feature * head[f * 2 + i % 2];
    }
    expected = number(inputs, "theta/head/scale") * expected + number(inputs, "theta/head/bias");
    EXPECT_NEAR(strict[i], expected, 1e-9) << i;
    loose_error += std::pow(loose[i] - targets[i], 2);
    strict_error += std::pow(strict[i] - targets[i], 2);
  }
  EXPECT_LT(loose_error, strict_error);
  // Whatever the learned weights, the fit is the same.
  for (double& weight : inputs["theta/head/weight"].as<double>()) weight *= -2;
  const auto other = answers(config::kLeastRidge);
  for (size_t i = 0; i < targets.size(); ++i) EXPECT_NEAR(other[i], loose[i], 1e-5) << i;
}

// Of rows that are all the same, where nothing but the ridge makes the matrix positive definite.
TEST(RidgeToNumbers, StaysFiniteWhereItsStrengthWasLearnedBelowZero) {
  const Case& test = case_called("r2d2_of_numbers");
  const Learner learner = learner_of(test);
  NamedTensors inputs = inputs_of(test, learner, DType::f64);
  inputs["support_x"] = Tensor(DType::f64, inputs["support_x"].shape());
  inputs["theta/head/lambda"] = Tensor::from<double>({}, {-0.01});
  ProgramRunner runner(reference::oracle());
  const NamedTensors results =
      run_gradient(make_gradient_plan(learner, test.shape, DType::f64), inputs, runner);
  for (const auto& [name, value] : results) {
    for (const double element : value.to_doubles()) EXPECT_TRUE(std::isfinite(element)) << name;
  }
  EXPECT_EQ(number(results, "grad/head/lambda"), 0);
}

double accuracy(const std::vector<double>& logits, const std::vector<int32_t>& labels) {
  const auto rows = static_cast<int64_t>(labels.size());
  const int64_t classes = static_cast<int64_t>(logits.size()) / rows;
  Builder builder;
  const Expr z = builder.input("z", {DType::f32, {rows, classes}}, Binding::per_lane);
  const Expr y = builder.input("y", {DType::i32, {rows}}, Binding::per_lane);
  builder.output("accuracy", accuracy_of(z, y));
  const std::vector<Tensor> inputs = {
      Tensor::from<double>({rows, classes}, logits).cast(DType::f32),
      Tensor::from<int32_t>({rows}, labels)};
  return exec::interpret(builder.finish(), inputs)[0].to_doubles()[0];
}

TEST(Accuracy, CountsTheLargestLogit) {
  EXPECT_FLOAT_EQ(accuracy({1, 2, 3, 6, 5, 4, 0, -1, -2}, {2, 1, 0}), 2.0 / 3);
}

TEST(Accuracy, GivesTiesToTheLowestClass) {
  EXPECT_EQ(accuracy({5, 5, 1}, {0}), 1);
  EXPECT_EQ(accuracy({5, 5, 1}, {1}), 0);
  EXPECT_EQ(accuracy({1, 5, 5}, {2}), 0);
  EXPECT_EQ(accuracy({0, 0, 0}, {0}), 1);
}

TEST(Accuracy, OfLogitsThatAreNotFiniteIsZero) {
  EXPECT_EQ(accuracy({NAN, NAN, NAN}, {0}), 0);
}

}  // namespace
}  // namespace outerloop::meta::testing
