// One adaptation, answers after every step: the same bits as the evaluator's, which adapts anew.

#include "outerloop/train/adapter.h"

#include "outerloop/train/evaluation.h"
#include "outerloop/train/setup.h"
#include "outerloop/train/theta.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

struct Case {
  std::string name;
  std::string config;
  std::vector<std::string> overrides;
  bool is_cut = false;  // a product with a weight comes first
};

// From the rows, or from their products as they are.
std::span<const float> answer(Adapter& adapter, int64_t step, std::span<const float> queries,
                              int64_t row_inputs) {
  const size_t rows = queries.size() / static_cast<size_t>(row_inputs);
  std::ranges::copy(queries, adapter.queries().begin());
  if (adapter.product_width() > 0) {
    std::ranges::copy(adapter.product(step).values, adapter.products().begin());
  }
  return adapter.answer(step, rows);
}

class AdapterAnswers : public testing::TestWithParam<Case> {};

TEST_P(AdapterAnswers, AreThoseOfTheEvaluator) {
  const TemporaryFolder folder;
  const config::Resolved resolved =
      shipped(GetParam().config, folder / "run", GetParam().overrides);
  const train::Setup setup = make_setup(resolved.config, resolved.folder);
  const Tensor theta =
      initial_theta(setup.learner.parameters, layout_of(setup.learner.parameters), 3);
  ThreadPool pool(1);
  Evaluator evaluator(setup.learner, setup.test_shape, setup.test_steps, setup.test_tasks, pool);
  evaluator.set_theta(theta);
  const auto adapter_of = [&](bool from_products) {
    Adapter adapter(setup.learner, setup.test_shape, setup.test_steps, {},
                    {.from_products = from_products});
    adapter.set_theta(theta);
    return adapter;
  };
  Adapter whole = adapter_of(false);
  Adapter cut = adapter_of(true);
  ASSERT_EQ(whole.steps(), setup.test_steps);
  EXPECT_EQ(whole.product_width(), 0u);
  EXPECT_EQ(cut.product_width() > 0, GetParam().is_cut);
  const int64_t row_inputs = setup.test_shape.example.elements();
  for (uint32_t slot = 0; slot < 2; ++slot) {
    const data::TaskKey key{.seed = 7, .split = data::Split::test, .slot = slot};
    data::Episode episode(setup.test_tasks->spec());
    setup.test_tasks->draw(key, episode.buffers());
    const std::vector<Tensor> expected = evaluator.answer(episode, key.seed);
    data::Episode without_queries(setup.test_tasks->spec());
    without_queries.support_x = episode.support_x;
    without_queries.support_y = episode.support_y;
    without_queries.minibatches = episode.minibatches;
    for (Adapter* adapter : {&whole, &cut}) {
      adapter->adapt(without_queries, key.seed);
      // In any order, and again.
      const int64_t last = adapter->steps();
      for (int64_t step : {last, int64_t{0}, last / 2, last}) {
        const auto answers = answer(*adapter, step, episode.query_x.as<float>(), row_inputs);
        EXPECT_TRUE(std::ranges::equal(answers, expected[static_cast<size_t>(step)].as<float>()))
            << "task " << slot << ", step " << step << (adapter == &cut ? ", cut" : "");
      }
    }
  }
}

// Calls of more rows, and their first rows alone, answer from the phi of the only adaptation.
TEST(Adapter, LargerCallsAnswerAsTheSmallOnes) {
  const TemporaryFolder folder;
  const config::Resolved resolved = shipped("flights_maml", folder / "run", {});
  const train::Setup setup = make_setup(resolved.config, resolved.folder);
  const int64_t rows = setup.test_shape.query_rows;
  const int64_t row_inputs = setup.test_shape.example.elements();
  Adapter adapter(setup.learner, setup.test_shape, setup.test_steps, {}, {.most_rows = 3 * rows});
  adapter.set_theta(
      initial_theta(setup.learner.parameters, layout_of(setup.learner.parameters), 3));
  data::Episode episode(setup.test_tasks->spec());
  setup.test_tasks->draw({.seed = 7, .split = data::Split::test, .slot = 0}, episode.buffers());
  adapter.adapt(episode, 7);
  const auto one = episode.query_x.as<float>();
  for (const int64_t step : {int64_t{0}, adapter.steps()}) {
    const auto answers = answer(adapter, step, one, row_inputs);
    const std::vector<float> expected(answers.begin(), answers.end());
    for (const size_t sets : {2u, 3u, 1u}) {
      std::vector<float> queries;
      for (size_t i = 0; i < sets; ++i) queries.insert(queries.end(), one.begin(), one.end());
      const auto all = answer(adapter, step, queries, row_inputs);
      ASSERT_EQ(all.size(), sets * expected.size());
      for (size_t i = 0; i < sets; ++i) {
        EXPECT_TRUE(std::ranges::equal(all.subspan(i * expected.size(), expected.size()), expected))
            << "set " << i << " of " << sets << ", step " << step;
      }
    }
  }
  EXPECT_EQ(adapter.answer_flops(0, 2 * rows), adapter.answer_flops(0, 3 * rows));
  EXPECT_GT(adapter.answer_flops(0, 2 * rows), adapter.answer_flops(0, rows));
}

const std::vector<std::string> kSmall{"model.filters=8", "tasks.queries=3"};
// A transductive batch norm couples rows after the first layer alone.
const std::vector<std::string> kPixels{"model.kind=mlp", "model.hidden=[12,8]", "tasks.queries=3"};
INSTANTIATE_TEST_SUITE_P(
    Learners, AdapterAnswers,
    testing::Values(
        Case{"Maml", "sinusoid_maml", {"test.steps=4"}, true},
        Case{"Momentum", "sinusoid_maml", {"test.steps=3", "inner.optimizer=adam"}, true},
        Case{"BatchNorm", "omniglot_maml", kSmall}, Case{"Anil", "omniglot_anil", kSmall},
        Case{"PerStep", "omniglot_mamlpp", kSmall}, Case{"MetaSgd", "omniglot_meta_sgd", kSmall},
        Case{"Minibatches", "omniglot_reptile", kSmall},
        Case{"NoSteps", "omniglot_protonet", kSmall}, Case{"ClosedForm", "omniglot_r2d2", kSmall},
        Case{"LearnedOptimizer", "sinusoid_learned_optimizer", {}, true},
        Case{"Table", "flights_maml", {}, true},
        Case{"LayerNorm", "flights_maml", {"model.norm=layer", "model.hidden=[9]"}, true},
        Case{"Linear", "flights_maml", {"model.hidden=[]"}, true},
        Case{"FixedFirstLayer", "flights_maml", {"learner.algorithm=anil"}, true},
        Case{"Ridge", "flights_maml", {"learner.algorithm=r2d2"}, true},
        Case{"Pixels", "omniglot_maml", kPixels, true}),
    [](const auto& the_case) { return the_case.param.name; });

}  // namespace
}  // namespace outerloop::train
