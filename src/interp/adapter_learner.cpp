#include "interp/adapter_learner.h"

#include <algorithm>

#include "outerloop/train/evaluation.h"

namespace outerloop::interp {
namespace {

// Rows of a call where they do not depend on each other: enough for the kernels, few in memory.
constexpr int64_t kRowsOfCall = 512;

meta::TaskShape with_queries(meta::TaskShape shape, int64_t rows) {
  shape.query_rows = rows;
  return shape;
}

}  // namespace

AdapterLearner::AdapterLearner(const train::Setup& setup, const Tensor& theta)
    : setup_(setup),
      couples_rows_(setup.config.model.norm == config::Norm::batch),
      width_(static_cast<size_t>(setup.test_shape.outputs)),
      query_rows_(static_cast<size_t>(setup.test_shape.query_rows)),
      inputs_(static_cast<size_t>(setup.test_shape.example.elements())),
      copies_(static_cast<size_t>(std::max<int64_t>(1, kRowsOfCall / setup.test_shape.query_rows))),
      episode_(setup.test_tasks->spec()),
      one_(setup.learner, setup.test_shape, setup.test_steps,
           train::compile_options(setup.config)) {
  one_.set_theta(theta);
  if (couples_rows_ || copies_ == 1) return;
  const auto rows = static_cast<int64_t>(copies_ * query_rows_);
  many_.emplace(setup.learner, with_queries(setup.test_shape, rows), setup.test_steps,
                train::compile_options(setup.config));
  many_->set_theta(theta);
}

void AdapterLearner::begin(const data::Episode& episode) {
  episode_.support_y = episode.support_y.clone();
  if (!episode.minibatches.empty()) episode_.minibatches = episode.minibatches.clone();
}

void AdapterLearner::adapt(std::span<const float> support_x) {
  std::ranges::copy(support_x, episode_.support_x.as<float>().begin());
  one_.adapt(episode_, static_cast<uint64_t>(setup_.config.seed));
  many_is_behind_ = true;
}

void AdapterLearner::relabel(std::span<const float> support_y) {
  std::ranges::copy(support_y, episode_.support_y.as<float>().begin());
}

void AdapterLearner::answer(int64_t step, std::span<const float> query_x,
                            std::span<double> predictions) {
  const size_t set = query_rows_ * inputs_;
  if (query_x.size() <= set || !many_) {
    return answer_with(one_, query_rows_, step, query_x, predictions);
  }
  if (many_is_behind_) many_->adapt(episode_, static_cast<uint64_t>(setup_.config.seed));
  many_is_behind_ = false;
  answer_with(*many_, copies_ * query_rows_, step, query_x, predictions);
}

// In calls of so many rows; those of the last that nobody asked for repeat what was there.
void AdapterLearner::answer_with(train::Adapter& adapter, size_t rows, int64_t step,
                                 std::span<const float> query_x, std::span<double> predictions) {
  room_.resize(rows * inputs_);
  const size_t total = query_x.size() / inputs_;
  for (size_t first = 0; first < total; first += rows) {
    const size_t count = std::min(rows, total - first);
    std::ranges::copy(query_x.subspan(first * inputs_, count * inputs_), room_.begin());
    const std::span<const float> answers = adapter.answer(step, room_);
    for (size_t i = 0; i < count; ++i) {
      const auto row = answers.subspan(i * width_, width_);
      const auto to = predictions.subspan((first + i) * width_, width_);
      std::ranges::copy(row, to.begin());
      if (!setup_.test_shape.classification) continue;
      train::to_probabilities(to);
    }
  }
}

}  // namespace outerloop::interp
