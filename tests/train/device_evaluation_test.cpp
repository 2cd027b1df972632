// Evaluations on a device, a GPU or its stand-in: the bits of threads.

#include "train/device_evaluation.h"

#include <fmt/format.h>

#include "exec/cuda/test_device.h"
#include "outerloop/comm/local.h"
#include "train/courses.h"
#include "train/evaluations.h"

namespace outerloop::train {
namespace {

class EvaluationOnDevice : public Courses {
 protected:
  std::shared_ptr<exec::Device> device_ = testing_support::test_device();
};

TEST_F(EvaluationOnDevice, HasTheBitsOfThreadsWhateverWasLearned) {
  std::vector<Case> cases = learners();
  for (Case& c : cases) {
    c.words = c.words + Words{"test.ways=0", "test.shots=0", "test.queries=0"};
    const bool has_steps = c.config != "omniglot_protonet" && c.config != "omniglot_r2d2";
    if (has_steps) c.words.push_back("test.steps=2");
  }
  // Other tasks than those of training.
  cases.push_back({"minibatches in test", "sinusoid_maml",
                   tiny() + Words{"inner.steps=2", "test.steps=4", "test.batch=2"}});
  cases.push_back({"other ways and shots", "omniglot_protonet",
                   images() + Words{"test.ways=2", "test.shots=2", "test.queries=2"}});
  cases.push_back({"one query at a time", "omniglot_maml",
                   images() + Words{"learner.transductive=false", "test.steps=2"}});
  cases.push_back({"support and queries in one batch", "omniglot_r2d2",
                   images() + Words{"learner.joint_batch=true"}});
  for (const Case& c : cases) {
    const Evaluation evaluation(resolved(c));
    const EvaluationResult on_threads = evaluation.run(nullptr, 7);
    EXPECT_LT(on_threads.diverged.back(), 7) << c.name;
    expect_same(evaluation.run(device_, 7), on_threads, c.name);
  }
}

// Four at most side by side.
class FewAtATime : public EvaluationOnDevice {
 protected:
  // Empty where `cancelled` ended it.
  std::optional<EvaluationResult> run(int64_t tasks, const std::function<bool()>& cancelled = {}) {
    team_.set_theta(evaluation_.theta(1));
    team_.prepare(tasks);
    EvaluationResult result{.tasks = tasks};
    result.task_loss.assign(3, std::vector<float>(static_cast<size_t>(tasks)));
    if (!team_.run({.seed = 1, .split = data::Split::test}, {0, tasks}, cancelled, result)) {
      return {};
    }
    return result;
  }
  EvaluationResult on_threads(int64_t tasks) const {
    EvaluationResult result = evaluation_.run(nullptr, tasks);
    result.diverged.clear();
    return result;
  }

  Evaluation evaluation_{resolved({"", "sinusoid_maml", tiny() + Words{"test.steps=2"}})};
  optim::ThetaLayout layout_ = layout_of(evaluation_.setup().learner.parameters);
  meta::EvaluationPlan plan_ =
      meta::make_evaluation_plan(evaluation_.setup().learner, evaluation_.setup().test_shape, 2);
  DeviceEvaluation team_{{plan_, layout_, evaluation_.setup().test_tasks}, device_, nullptr, {}, 4};
};

TEST_F(FewAtATime, AnyNumberOfTasksMakesBatches) {
  for (const int64_t tasks : {1, 4, 9, 10, 3}) {
    expect_same(run(tasks).value(), on_threads(tasks), fmt::format("{} tasks", tasks));
  }
}

TEST_F(FewAtATime, IsEndedBeforeABatchAndLeavesNothing) {
  for (const int batch : {1, 2, 3}) {
    int asked = 0;
    EXPECT_FALSE(run(12, [&] { return ++asked == batch; }));
    EXPECT_EQ(asked, batch);
    expect_same(run(12).value(), on_threads(12), fmt::format("after {} batches", batch - 1));
  }
}

TEST_F(EvaluationOnDevice, DoesNotDependOnTheRanks) {
  const Evaluation evaluation(resolved({"", "omniglot_maml", images()}));
  const EvaluationResult alone = evaluation.run(nullptr, 5);
  for (const int size : {2, 7}) {
    std::vector<EvaluationResult> results(static_cast<size_t>(size));
    comm::run_ranks(size, [&](comm::Communicator& ranks) {
      results[static_cast<size_t>(ranks.rank())] =
          evaluation.run(testing_support::test_device(), 5, &ranks);
    });
    for (const EvaluationResult& result : results) {
      expect_same(result, alone, fmt::format("one of {} ranks", size));
    }
  }
}

TEST_F(EvaluationOnDevice, IsEndedWhenOneRankIsToStop) {
  const Evaluation evaluation(resolved({"", "sinusoid_maml", tiny()}));
  comm::run_ranks(2, [&](comm::Communicator& ranks) {
    ThreadPool pool(1);
    const auto evaluator = evaluation.evaluator(pool, testing_support::test_device(), &ranks);
    const auto cancelled = [&] { return ranks.rank() == 1; };
    EXPECT_FALSE(evaluator->evaluate_unless(cancelled, 1, data::Split::test, 4, 1e9));
    expect_same(evaluator->evaluate(1, data::Split::test, 3, 1e9), evaluation.run(nullptr, 3), "");
  });
}

}  // namespace
}  // namespace outerloop::train
