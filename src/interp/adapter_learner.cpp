#include "interp/adapter_learner.h"

#include <algorithm>

#include "outerloop/train/evaluation.h"

namespace outerloop::interp {
namespace {

// Rows of a call where they do not depend on each other: enough for the kernels, few in memory.
constexpr size_t kRowsOfCall = 512;

}  // namespace

AdapterLearner::AdapterLearner(const train::Setup& setup, const Tensor& theta)
    : setup_(setup),
      width_(static_cast<size_t>(setup.test_shape.outputs)),
      query_rows_(static_cast<size_t>(setup.test_shape.query_rows)),
      inputs_(static_cast<size_t>(setup.test_shape.example.elements())),
      copies_(couples_rows() ? 1 : std::max<size_t>(1, kRowsOfCall / query_rows_)),
      episode_(setup.test_tasks->spec()),
      adapter_(setup.learner, setup.test_shape, setup.test_steps,
               train::compile_options(setup.config), static_cast<int64_t>(copies_ * query_rows_)) {
  adapter_.set_theta(theta);
}

bool AdapterLearner::couples_rows() const {
  return setup_.config.model.norm == config::Norm::batch;
}

double AdapterLearner::answer_cost(size_t sets) const {
  const auto flops = [&](size_t of) {
    return adapter_.answer_flops(steps(), static_cast<int64_t>(of * query_rows_));
  };
  const size_t rest = sets % copies_;
  return static_cast<double>(sets / copies_) * flops(copies_) + (rest > 0 ? flops(rest) : 0);
}

void AdapterLearner::begin(const data::Episode& episode) {
  episode_.support_y = episode.support_y.clone();
  if (!episode.minibatches.empty()) episode_.minibatches = episode.minibatches.clone();
}

void AdapterLearner::adapt(std::span<const float> support_x) {
  std::ranges::copy(support_x, episode_.support_x.as<float>().begin());
  adapter_.adapt(episode_, static_cast<uint64_t>(setup_.config.seed));
}

void AdapterLearner::relabel(std::span<const float> support_y) {
  std::ranges::copy(support_y, episode_.support_y.as<float>().begin());
}

void AdapterLearner::answer(int64_t step, std::span<const float> query_x,
                            std::span<double> predictions) {
  const size_t rows = copies_ * query_rows_;
  const size_t total = query_x.size() / inputs_;
  for (size_t first = 0; first < total; first += rows) {
    const size_t count = std::min(rows, total - first);
    const std::span<const float> answers =
        adapter_.answer(step, query_x.subspan(first * inputs_, count * inputs_));
    for (size_t i = 0; i < count; ++i) {
      const auto row = answers.subspan(i * width_, width_);
      const auto to = predictions.subspan((first + i) * width_, width_);
      std::ranges::copy(row, to.begin());
      if (setup_.test_shape.classification) train::to_probabilities(to);
    }
  }
}

}  // namespace outerloop::interp
