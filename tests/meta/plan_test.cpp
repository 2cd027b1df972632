// The shape of plans: which calls there are, which are one program, what they refuse.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "meta/cases.h"
#include "outerloop/base/error.h"
#include "outerloop/ir/op_def.h"

namespace outerloop::meta::testing {
namespace {

Learner cut(const std::string& name, int64_t steps, int64_t segment) {
  Case test = case_called(name);
  test.config.inner.steps = steps;
  test.config.inner.segment = segment;
  return learner_of(test);
}

GradientPlan plan_of(const std::string& name, int64_t steps, int64_t segment) {
  return make_gradient_plan(cut(name, steps, segment), case_called(name).shape);
}

size_t programs_in(const std::vector<Call>& calls) {
  std::set<const Program*> programs;
  for (const Call& call : calls) programs.insert(call.program.get());
  return programs.size();
}

size_t count_of(const Program& program, std::string_view op) {
  return static_cast<size_t>(std::ranges::count_if(
      program.equations, [&](const Equation& equation) { return equation.op->name == op; }));
}

TEST(GradientPlan, IsOneCallWhenEverythingIsStored) {
  for (const int64_t segment : {0, 4, 9}) {
    const GradientPlan plan = plan_of("maml", 4, segment);
    EXPECT_TRUE(plan.forward.empty());
    EXPECT_TRUE(plan.backward.empty());
    EXPECT_EQ(plan.last.steps, 4);
  }
}

TEST(GradientPlan, AsksForSegmentsWhereOneProgramWouldBeTooLong) {
  for (const auto& [steps, segment] : {std::pair{401, 0}, std::pair{1000, 500}}) {
    try {
      plan_of("maml", steps, segment);
      FAIL() << steps << " steps in segments of " << segment;
    } catch (const BadInput& error) {
      EXPECT_NE(std::string(error.what()).find("set inner.segment to 400 or less"),
                std::string::npos);
    }
  }
  EXPECT_EQ(plan_of("maml", 1000, 10).forward.size(), 99u);
}

TEST(GradientPlan, RefusesMoreDropoutMasksThanThereAreStreams) {
  try {
    plan_of("maml_dropout", 20000, 1);
    FAIL() << "80000 masks";
  } catch (const BadInput& error) {
    EXPECT_EQ(std::string(error.what()),
              "model.dropout takes 80000 masks for a task of 20000 inner steps, and there are "
              "65536: lower inner.steps or tasks.queries, or set model.dropout to 0");
  }
}

TEST(GradientPlan, SharesTheProgramsOfEqualSegments) {
  const GradientPlan plan = plan_of("maml", 20, 1);
  ASSERT_EQ(plan.forward.size(), 19u);
  ASSERT_EQ(plan.backward.size(), 19u);
  EXPECT_EQ(programs_in(plan.forward), 2u);   // the first starts from theta
  EXPECT_EQ(programs_in(plan.backward), 2u);  // and ends at it
  EXPECT_EQ(plan.forward[7].first_step, 7);
}

TEST(GradientPlan, FeedsWhatDiffersBetweenStepsAsConstants) {
  const GradientPlan plan = plan_of("maml_adam", 6, 1);
  EXPECT_EQ(programs_in(plan.forward), 2u + 0u);
  const auto correction = [&](size_t call) {
    return plan.forward[call].constants.at(0).value.to_doubles().at(0);
  };
  EXPECT_NE(correction(2), correction(3));
  const GradientPlan stepwise = plan_of("mamlpp", 6, 2);
  EXPECT_EQ(programs_in(stepwise.forward), 2u);
  EXPECT_EQ(stepwise.forward[1].constants.at(0).value.to_doubles(), (std::vector<double>{2, 3}));
}

TEST(GradientPlan, MemoryOfSegmentsDoesNotGrowWithSteps) {
  const auto largest = [](const GradientPlan& plan) {
    size_t values = plan.last.program->values.size();
    for (const auto* calls : {&plan.forward, &plan.backward}) {
      for (const Call& call : *calls) values = std::max(values, call.program->values.size());
    }
    return values;
  };
  EXPECT_EQ(largest(plan_of("maml", 5, 1)), largest(plan_of("maml", 50, 1)));
}

TEST(GradientPlan, RulesWithoutReverseSweepHaveNoBackwardCalls) {
  for (const std::string name : {"fomaml", "imaml", "reptile"}) {
    const GradientPlan plan = plan_of(name, 6, 2);
    EXPECT_EQ(plan.forward.size(), 2u) << name;
    for (const Call& call : plan.backward) EXPECT_EQ(call.program, nullptr) << name;
  }
}

TEST(GradientPlan, TruncationSweepsBackThroughTheLastStepsAlone) {
  Case test = case_called("truncated");
  test.config.inner.steps = 6;
  test.config.inner.segment = 1;
  test.config.learner.truncation = 3;
  const GradientPlan plan = make_gradient_plan(learner_of(test), test.shape);
  for (size_t s = 0; s < 5; ++s) EXPECT_EQ(plan.backward[s].program != nullptr, s >= 3) << s;
}

TEST(GradientPlan, TruncationToNoStepsLessIsExactAndToOneLessIsNot) {
  const Case& exact = case_called("maml");
  Case truncated = exact;
  truncated.config.learner.truncation = exact.config.inner.steps;
  ProgramRunner runner(reference::oracle());
  const auto gradient = [&](const Case& test) {
    const Learner learner = learner_of(test);
    const auto results = run_gradient(make_gradient_plan(learner, test.shape, DType::f64),
                                      inputs_of(test, learner, DType::f64), runner);
    return results.at("grad/net/dense1/weight").to_doubles();
  };
  EXPECT_EQ(gradient(truncated), gradient(exact));
  truncated.config.learner.truncation = exact.config.inner.steps - 1;
  EXPECT_NE(gradient(truncated), gradient(exact));
}

TEST(GradientPlan, TakesNoMoreInputsThanItUses) {
  const GradientPlan reptile = plan_of("reptile", 3, 0);
  EXPECT_LT(reptile.last.program->input_index("query_x"), 0);
  EXPECT_GE(reptile.last.program->input_index("minibatch"), 0);
  EXPECT_LT(plan_of("maml", 2, 0).last.program->input_index("dropout_key"), 0);
}

// One more than the highest that a program of the training takes.
int64_t streams_of(const Case& test) {
  const GradientPlan plan = make_gradient_plan(learner_of(test), test.shape);
  int64_t streams = 0;
  for (const Equation& equation : plan.last.program->equations) {
    if (equation.op->name != "random_uniform") continue;
    streams = std::max(streams, equation.attributes.integer("stream") + 1);
  }
  return streams;
}

// Dropout that the config asks for is there in training, whatever the learner, and not in tests.
TEST(GradientPlan, DropsOutInEveryLearner) {
  for (const char* name : {"maml_dropout", "protonet_dropout", "protonet_one_by_one_dropout",
                           "r2d2_dropout", "learned_optimizer_dropout"}) {
    const Case& with = case_called(name);
    Case without = with;
    without.config.model.dropout = 0;
    const auto masks = [](const Case& test) {
      const GradientPlan plan = make_gradient_plan(learner_of(test), test.shape);
      return count_of(*plan.last.program, "random_uniform");
    };
    EXPECT_EQ(learner_of(with).dropout_streams, streams_of(with)) << name;
    EXPECT_EQ(learner_of(without).dropout_streams, 0) << name;
    // Each forward pass through each hidden layer has masks; an embedding is no hidden layer.
    const Learner learner = learner_of(with);
    const size_t layers = with.config.model.hidden.size() - (learner.step ? 0 : 1);
    const bool alone = !with.config.learner.transductive;
    const auto queries = static_cast<size_t>(alone ? with.shape.query_rows : 1);
    const auto supports = static_cast<size_t>(std::max<int64_t>(learner.steps, 1));
    EXPECT_EQ(masks(with), layers * (supports + queries)) << name;
    EXPECT_EQ(masks(without), 0u) << name;
    const EvaluationPlan test = make_evaluation_plan(learner, with.shape, learner.steps);
    EXPECT_EQ(count_of(*test.start.program, "random_uniform"), 0u) << name;
  }
}

TEST(GradientPlan, FirstOrderDoesNotDifferentiateTheInnerGradient) {
  const size_t exact = count_of(*plan_of("maml", 1, 0).last.program, "matmul");
  const size_t first_order = count_of(*plan_of("fomaml", 1, 0).last.program, "matmul");
  EXPECT_LT(first_order, exact);
  // 3 layers: 3 forward, 3 + 2 backward, for the step and for the query loss.
  EXPECT_EQ(first_order, 16u);
}

TEST(EvaluationPlan, HasTwoProgramsForAnyNumberOfSteps) {
  const Case& test = case_called("maml");
  const EvaluationPlan plan = make_evaluation_plan(learner_of(test), test.shape, 30);
  EXPECT_EQ(plan.steps.size(), 30u);
  EXPECT_EQ(programs_in(plan.steps), 2u);
}

TEST(AnswerPlan, StepsLookAtNoQueriesAndAnswersAtNoLabels) {
  const Case& test = case_called("mamlpp");
  const AnswerPlan plan = make_answer_plan(learner_of(test), test.shape, 3);
  ASSERT_EQ(plan.answers.size(), 4u);
  for (const Call& call : plan.steps) EXPECT_LT(call.program->input_index("query_x"), 0);
  for (const Call& call : plan.answers) {
    EXPECT_LT(call.program->input_index("support_x"), 0);
    EXPECT_LT(call.program->input_index("query_y"), 0);
  }
}

// Only where a batch does not mix rows before the first layer: not for convolutions, and neither
// where the support set stands beside the queries.
TEST(AnswerPlan, IsCutWhereTheQueriesEnterByAProduct) {
  const std::set<std::string> whole{"maml_images",         "maml_pooled_images",
                                    "maml_one_by_one",     "protonet_joint",
                                    "protonet_one_by_one", "protonet_one_by_one_dropout"};
  for (const Case& test : all_cases()) {
    const Learner learner = learner_of(test);
    const int64_t steps = learner.step ? 2 : 0;
    const AnswerPlan plan = make_answer_plan(learner, test.shape, steps);
    EXPECT_EQ(plan.cut.size(), whole.contains(test.name) ? 0 : plan.answers.size()) << test.name;
    for (const auto& [product, rest] : plan.cut) {
      EXPECT_EQ(count_of(*product.program, "matmul"), 1u) << test.name;
      EXPECT_GE(product.program->output_index("product_weight"), 0) << test.name;
      EXPECT_LT(rest.program->input_index("query_x"), 0) << test.name;
      EXPECT_GE(rest.program->input_index("query_product"), 0) << test.name;
    }
  }
}

TEST(Plans, RefuseWhatTheLearnerCannotDo) {
  const auto evaluate = [](const std::string& name, const TaskShape& shape, int64_t steps) {
    make_evaluation_plan(learner_of(case_called(name)), shape, steps);
  };
  const TaskShape classes = case_called("mamlpp").shape;
  EXPECT_NO_THROW(evaluate("mamlpp", classes, 3));
  EXPECT_THROW(evaluate("mamlpp", classes, 4), BadInput);  // no rates for a fourth step
  EXPECT_THROW(evaluate("protonet", classes, 1), BadInput);
  TaskShape more_ways = classes;
  more_ways.outputs = 4;
  EXPECT_THROW(evaluate("maml_classes", more_ways, 1), BadInput);
  EXPECT_NO_THROW(evaluate("protonet", more_ways, 0));
  TaskShape fewer_ways = classes;
  fewer_ways.outputs = 2;
  EXPECT_NO_THROW(evaluate("maml_classes", fewer_ways, 1));
  TaskShape empty = classes;
  empty.query_rows = 0;
  EXPECT_THROW(evaluate("maml_classes", empty, 1), BadInput);
}

TEST(Registry, NamesItsAlgorithmsToWhoAsksForAnother) {
  Case test = case_called("maml");
  test.config.learner.algorithm = "mamml";
  try {
    learner_of(test);
    FAIL() << "an unknown algorithm was accepted";
  } catch (const BadInput& error) {
    EXPECT_NE(std::string(error.what()).find("'mamml' is not known"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("protonet"), std::string::npos);
  }
  test.config.learner.algorithm = "protonet";
  EXPECT_THROW(learner_of(test), BadInput);  // regression has no classes
}

TEST(MultiStepWeights, AnnealFromEqualToTheLast) {
  EXPECT_EQ(multi_step_weights(0, 10, 5), (std::vector<double>(5, 0.2)));
  const std::vector<double> middle = multi_step_weights(5, 10, 5);
  EXPECT_NEAR(middle[0], 0.1, 1e-15);
  EXPECT_NEAR(middle[4], 0.6, 1e-15);
  const std::vector<double> late = multi_step_weights(9, 10, 5);
  EXPECT_NEAR(late[0], 0.02, 1e-15);
  EXPECT_NEAR(multi_step_weights(99, 100, 5)[0], 0.006, 1e-15);  // 0.03 / 5 at least
  EXPECT_EQ(multi_step_weights(10, 10, 5), (std::vector<double>{0, 0, 0, 0, 1}));
}

}  // namespace
}  // namespace outerloop::meta::testing
