// Copies of queries with some inputs from elsewhere: answers of a stored learner's kept first layer
// against those of the whole rows.

#include "interp/adapter_learner.h"

#include <cmath>
#include <numeric>

#include "outerloop/train/evaluation.h"
#include "outerloop/train/theta.h"
#include "train/runs.h"

namespace outerloop::interp {
namespace {

struct Case {
  std::string name;
  std::string config;
  std::vector<std::string> overrides;
  bool is_exact = false;  // the rows are gathered
};

class CopiesAnswered : public testing::TestWithParam<Case> {
 protected:
  CopiesAnswered()
      : setup_(setup_of(folder_)),
        theta_(train::initial_theta(setup_.learner.parameters,
                                    train::layout_of(setup_.learner.parameters), 3)),
        episode_(setup_.test_tasks->spec()),
        learner_(setup_, theta_),
        whole_(setup_.learner, setup_.test_shape, setup_.test_steps),
        rows_(static_cast<size_t>(setup_.test_shape.query_rows)),
        inputs_(static_cast<size_t>(setup_.test_shape.example.elements())) {
    setup_.test_tasks->draw({.seed = 7, .split = data::Split::test}, episode_.buffers());
    whole_.set_theta(theta_);
    whole_.adapt(episode_, static_cast<uint64_t>(setup_.config.seed));
    learner_.begin(episode_);
    learner_.adapt(support());
  }

  static train::Setup setup_of(const TemporaryFolder& folder) {
    const config::Resolved resolved =
        train::shipped(GetParam().config, folder / "run", GetParam().overrides);
    return train::make_setup(resolved.config, resolved.folder);
  }

  std::span<const float> support() { return episode_.support_x.as<float>(); }
  std::span<const float> queries() { return episode_.query_x.as<float>(); }

  // Copies that last until the next ones: groups of one input, of some and of all, of each row's
  // own; from the other queries, and from one row of the support set.
  std::vector<ChangedRows> copies() {
    std::vector<uint32_t> all(inputs_);
    std::iota(all.begin(), all.end(), 0);
    other_query_.clear();
    one_row_.clear();
    own_.clear();
    groups_ = {all, {0}, {static_cast<uint32_t>(inputs_ - 1)}, {}};
    for (size_t i = 0; i < inputs_; i += 3) groups_.back().push_back(static_cast<uint32_t>(i));
    for (size_t row = 0; row < rows_; ++row) {
      other_query_.push_back(static_cast<uint32_t>((row + 1) % rows_));
      one_row_.push_back(1);
      own_.push_back({static_cast<uint32_t>(row * 5 % inputs_)});
      if (row % 2 == 0) own_.back().push_back(static_cast<uint32_t>((row * 5 + 1) % inputs_));
    }
    own_.front().clear();
    std::vector<ChangedRows> result{{}};
    for (const auto& group : groups_) {
      result.push_back({{group, {}}, other_query_, queries()});
      result.push_back({{group, {}}, one_row_, support()});
    }
    result.push_back({{{}, own_}, other_query_, queries()});
    return result;
  }

  std::vector<double> expected(int64_t step, const ChangedRows& copy) {
    write(copy, queries(), inputs_, whole_.queries());
    const auto answers = whole_.answer(step, rows_);
    std::vector<double> result(answers.begin(), answers.end());
    if (!setup_.test_shape.classification) return result;
    const size_t width = learner_.width();
    for (size_t at = 0; at < result.size(); at += width) {
      train::to_probabilities(std::span(result).subspan(at, width));
    }
    return result;
  }

  std::vector<double> answered(int64_t step, std::span<const ChangedRows> asked) {
    learner_.ask(asked);
    std::vector<double> result(asked.size() * rows_ * learner_.width());
    learner_.answer(step, result);
    return result;
  }

  const TemporaryFolder folder_;
  train::Setup setup_;
  Tensor theta_;
  data::Episode episode_;
  AdapterLearner learner_;
  train::Adapter whole_;
  size_t rows_, inputs_;
  std::vector<std::vector<uint32_t>> groups_, own_;
  std::vector<uint32_t> other_query_, one_row_;
};

double largest_of(std::span<const double> values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

TEST_P(CopiesAnswered, AsTheirWholeRows) {
  for (int64_t step = 0; step <= learner_.steps(); ++step) {
    for (const ChangedRows& copy : copies()) {
      const std::vector<double> whole = expected(step, copy);
      const std::vector<double> seen = answered(step, std::span(&copy, 1));
      const bool is_same = GetParam().is_exact || copy.donors.empty();
      const double tolerance = is_same ? 0 : 1e-5 * largest_of(whole);
      for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(seen[i], whole[i], tolerance) << i;
    }
  }
}

// As of a value that stands for a missing one: what is left of it in a sum is its rounding.
TEST_P(CopiesAnswered, AsTheirWholeRowsWhereValuesAreLarge) {
  const auto large = episode_.query_x.as<float>();
  large[0] = 1e6F;
  large[inputs_ + inputs_ / 2] = -1e9F;
  learner_.begin(episode_);
  learner_.adapt(support());
  const std::vector<ChangedRows> all = copies();
  const size_t size = rows_ * learner_.width(), sets = std::min<size_t>(2, learner_.most_sets());
  for (int64_t step = 0; step <= learner_.steps(); ++step) {
    const std::vector<double> seen = answered(step, std::span(all).last(sets));
    for (size_t c = 0; c < sets; ++c) {
      const std::vector<double> whole = expected(step, all[all.size() - sets + c]);
      for (size_t i = 0; i < size; ++i) {
        EXPECT_NEAR(seen[c * size + i], whole[i], 1e-5 * std::abs(whole[i]) + 1e-5) << i;
      }
    }
  }
}

TEST_P(CopiesAnswered, AloneAsTogether) {
  const std::vector<ChangedRows> all = copies();
  const std::span<const ChangedRows> some =
      std::span(all).first(std::min(all.size(), learner_.most_sets()));
  const std::vector<double> together = answered(learner_.steps(), some);
  const size_t size = together.size() / some.size();
  for (size_t c = 0; c < some.size(); ++c) {
    const std::vector<double> alone = answered(learner_.steps(), some.subspan(c, 1));
    EXPECT_TRUE(std::ranges::equal(alone, std::span(together).subspan(c * size, size))) << c;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Learners, CopiesAnswered,
    testing::Values(
        Case{"Table", "flights_maml", {}}, Case{"Linear", "flights_maml", {"model.hidden=[]"}},
        Case{"LayerNorm", "flights_maml", {"model.norm=layer", "model.hidden=[33]"}},
        Case{"FixedFirstLayer", "flights_maml", {"learner.algorithm=anil"}},
        Case{"Ridge", "flights_maml", {"learner.algorithm=r2d2", "tasks.queries=7"}},
        Case{"OneInput", "sinusoid_maml", {}},
        Case{"Pixels", "omniglot_maml", {"model.kind=mlp", "model.hidden=[20]", "model.norm=none"}},
        Case{"CoupledPixels", "omniglot_maml", {"model.kind=mlp", "model.hidden=[20]"}, true},
        Case{"Images", "omniglot_protonet", {"model.filters=4", "model.norm=none"}, true},
        Case{"CoupledImages", "omniglot_maml", {"model.filters=4"}, true}),
    [](const auto& the_case) { return the_case.param.name; });

// One chain of products in the order of the inputs, added to the value, whatever plan it is.
TEST(ProductUpdate, HasTheBitsOfOneChainForAnyNumberOfInputs) {
  constexpr size_t kRows = 5, kInputs = 11, kWidth = 3;
  std::vector<float> x, weight, values;
  for (size_t i = 0; i < kRows * kInputs; ++i) x.push_back(std::sin(static_cast<float>(i * i)));
  for (size_t i = 0; i < kInputs * kWidth; ++i) weight.push_back(std::cos(static_cast<float>(i)));
  for (size_t i = 0; i < kRows * kWidth; ++i) values.push_back(0.1F * static_cast<float>(i));
  const std::vector<uint32_t> donors{3, 1, 4, 0, 2};
  ProductUpdate update(kRows, kInputs, kWidth, {});
  RowSteps steps;
  for (size_t count = 1; count <= kInputs; ++count) {
    std::vector<uint32_t> group(count);
    std::iota(group.begin(), group.end(), 0);
    steps.take({{group, {}}, donors, x}, x, kInputs);
    ASSERT_EQ(steps.inputs(), group) << "row 0 changes in all of them";
    std::vector<float> result(values.size());
    update.apply(steps, values, weight, result);
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t w = 0; w < kWidth; ++w) {
        float chain = 0;
        for (size_t i = 0; i < count; ++i) {
          const float step = x[donors[row] * kInputs + i] - x[row * kInputs + i];
          chain = std::fma(step, weight[i * kWidth + w], chain);
        }
        EXPECT_EQ(result[row * kWidth + w], values[row * kWidth + w] + chain) << count;
      }
    }
  }
}

TEST(RowSteps, LeaveOutWhatDoesNotChange) {
  const std::vector<float> x{1, 7, 0, 2, 7, 0, 3, 7, 0};  // (row, 3 inputs)
  const std::vector<float> source{5, 7, -0.0F};
  const std::vector<uint32_t> group{0, 1, 2}, donors{0, 0, 0};
  RowSteps steps;
  steps.take({{group, {}}, donors, source}, x, 3);
  EXPECT_EQ(steps.inputs(), std::vector<uint32_t>{0});
  std::vector<float> written(6);
  steps.write(2, written);
  EXPECT_EQ(written, (std::vector<float>{4, 0, 3, 0, 2, 0}));
}

}  // namespace
}  // namespace outerloop::interp
