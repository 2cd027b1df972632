// What an evaluator needs for measuring, and what it can do without.

#include "outerloop/base/error.h"
#include "outerloop/train/evaluate_run.h"
#include "outerloop/train/evaluation.h"
#include "outerloop/train/setup.h"
#include "outerloop/train/theta.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

TEST(Evaluator, WithoutQueryLabelsAnswersButDoesNotMeasure) {
  const TemporaryFolder folder;
  const config::Resolved resolved = shipped("sinusoid_maml", folder / "run", {});
  const train::Setup setup = make_setup(resolved.config, folder.path());
  ThreadPool pool(1);
  const auto evaluator = [&](bool query_labels, bool family) {
    auto made = std::make_unique<Evaluator>(
        setup.learner, setup.test_shape,
        meta::EvaluationOptions{.steps = 2, .query_labels = query_labels},
        family ? setup.test_tasks : nullptr, pool);
    made->set_theta(
        initial_theta(setup.learner.parameters, layout_of(setup.learner.parameters), 3));
    return made;
  };
  data::Episode episode(setup.test_tasks->spec());
  setup.test_tasks->draw({.seed = 1, .split = data::Split::test}, episode.buffers());
  const auto answers = [&](bool query_labels, bool family) {
    std::vector<std::vector<double>> all;
    for (const Tensor& step : evaluator(query_labels, family)->answer(episode, 1)) {
      all.push_back(step.to_doubles());
    }
    return all;
  };
  EXPECT_EQ(answers(false, true), answers(true, true));
  EXPECT_EQ(answers(false, false), answers(true, true));
  const auto measure = [&](bool query_labels, bool family) {
    return evaluator(query_labels, family)->evaluate(1, data::Split::test, 3, 20);
  };
  EXPECT_EQ(measure(true, true).tasks, 3);
  EXPECT_CONTAINS(message_of<InternalError>([&] { measure(false, true); }), "query labels");
  EXPECT_CONTAINS(message_of<InternalError>([&] { measure(true, false); }), "no tasks to draw");
}

TEST(ProtocolOverrides, LeaveUnknownKeysToTheReaderWhichKnowsTheNearest) {
  const std::vector<std::string> unknown = {"tets.ways=3", "steps"};
  EXPECT_EQ(protocol_overrides(unknown), unknown);
  EXPECT_EQ(protocol_overrides(std::vector<std::string>{"inner.steps=3"}),
            std::vector<std::string>{"test.steps=3"});
  EXPECT_THROW(protocol_overrides(std::vector<std::string>{"inner.rate=3"}), BadInput);
}

TEST(ProtocolOverrides, AreCheckedByTheKeyThatWasWritten) {
  struct Case {
    std::vector<std::string> words;
    std::string error;
  };
  for (const auto& [words, error] : std::vector<Case>{
           {{"inner.steps=0"},
            "command line: word 1: inner.steps: expected a whole number from 1 to 100000, got '0'"},
           {{"test.steps=2", "tasks.shots=0"},
            "command line: word 2: tasks.shots: expected a whole number from 1 to 10000, got '0'"},
           {{"tasks.rotation=as_training"},
            "command line: word 1: tasks.rotation: expected one of none, per_class, as_classes, "
            "got "
            "'as_training'"},
           {{"tasks.ways=5", "test.ways=6"},
            "'tasks.ways=5' and 'test.ways=6' set the same thing here; remove one"},
       }) {
    EXPECT_EQ(message_of<BadInput>([&words = words] { protocol_overrides(words); }), error);
  }
  EXPECT_EQ(protocol_overrides(std::vector<std::string>{"test.steps=0"}),
            std::vector<std::string>{"test.steps=0"});
}

}  // namespace
}  // namespace outerloop::train
