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
      most_sets_(couples_rows() ? 1 : std::max<size_t>(1, kRowsOfCall / query_rows_)),
      episode_(setup.test_tasks->spec()),
      adapter_(setup.learner, setup.test_shape, setup.test_steps,
               train::compile_options(setup.config),
               {.most_rows = static_cast<int64_t>(most_sets_ * query_rows_),
                .from_products = !couples_rows()}),
      asked_(most_sets_),
      own_rows_(most_sets_),
      products_(static_cast<size_t>(steps()) + 1) {
  adapter_.set_theta(theta);
  if (adapter_.product_width() > 0) {
    update_.emplace(query_rows_, inputs_, adapter_.product_width(),
                    train::compile_options(setup.config));
  }
}

bool AdapterLearner::couples_rows() const {
  return setup_.config.model.norm == config::Norm::batch;
}

double AdapterLearner::answer_cost(size_t inputs) const {
  const double update = update_ && inputs > 0 ? update_->flops(inputs) : 0;
  return update + adapter_.answer_flops(steps(), static_cast<int64_t>(query_rows_));
}

void AdapterLearner::begin(const data::Episode& episode) {
  episode_.support_y = episode.support_y.clone();
  if (!episode.minibatches.empty()) episode_.minibatches = episode.minibatches.clone();
  queries_ = episode.query_x.as<float>();
  if (update_) std::ranges::copy(queries_, adapter_.queries().begin());
}

void AdapterLearner::adapt(std::span<const float> support_x) {
  std::ranges::copy(support_x, episode_.support_x.as<float>().begin());
  adapter_.adapt(episode_, static_cast<uint64_t>(setup_.config.seed));
  work_ += adapter_.adapt_flops();
  std::ranges::fill(products_, std::nullopt);
}

void AdapterLearner::relabel(std::span<const float> support_y) {
  std::ranges::copy(support_y, episode_.support_y.as<float>().begin());
}

void AdapterLearner::ask(std::span<const ChangedRows> copies) {
  sets_ = copies.size();
  const size_t size = queries_.size();
  for (size_t c = 0; c < sets_; ++c) {
    if (update_) {
      own_rows_[c].clear();
      if (asked_[c].take(copies[c], queries_, inputs_)) continue;
      own_rows_[c].resize(size);
      write(copies[c], queries_, inputs_, own_rows_[c]);
    } else {
      write(copies[c], queries_, inputs_, adapter_.queries().subspan(c * size, size));
    }
  }
}

const AdapterLearner::Product& AdapterLearner::product(int64_t step) {
  auto& kept = products_[static_cast<size_t>(step)];
  if (!kept) {
    kept = adapter_.product(step);
    work_ += adapter_.product_flops(step);
  }
  return *kept;
}

void AdapterLearner::take_products(int64_t step) {
  const size_t size = query_rows_ * adapter_.product_width();
  for (size_t c = 0; c < sets_; ++c) {
    if (!own_rows_[c].empty()) continue;
    const Product& untouched = product(step);
    const auto place = adapter_.products().subspan(c * size, size);
    const size_t changed = asked_[c].inputs().size();
    if (changed == 0) {
      std::ranges::copy(untouched.values, place.begin());
    } else {
      update_->apply(asked_[c], untouched.values, untouched.weight, place);
      work_ += update_->flops(changed);
    }
  }
  take_own_products(step);
}

// Last, as the adapter has one product a step.
void AdapterLearner::take_own_products(int64_t step) {
  const size_t size = query_rows_ * adapter_.product_width();
  const auto has_none = [](const std::vector<float>& rows) { return rows.empty(); };
  if (std::ranges::all_of(std::span(own_rows_).first(sets_), has_none)) return;
  for (size_t c = 0; c < sets_; ++c) {
    if (own_rows_[c].empty()) continue;
    std::ranges::copy(own_rows_[c], adapter_.queries().begin());
    std::ranges::copy(adapter_.product(step).values,
                      adapter_.products().subspan(c * size, size).begin());
    work_ += adapter_.product_flops(step);
    products_[static_cast<size_t>(step)].reset();
  }
  std::ranges::copy(queries_, adapter_.queries().begin());
}

void AdapterLearner::answer(int64_t step, std::span<double> predictions) {
  if (update_) take_products(step);
  const size_t rows = sets_ * query_rows_;
  const std::span<const float> answers = adapter_.answer(step, rows);
  work_ += adapter_.answer_flops(step, static_cast<int64_t>(rows));
  std::ranges::copy(answers, predictions.begin());
  if (!setup_.test_shape.classification) return;
  for (size_t row = 0; row < rows; ++row) {
    train::to_probabilities(predictions.subspan(row * width_, width_));
  }
}

}  // namespace outerloop::interp
