#include "outerloop/train/predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "outerloop/base/error.h"
#include "outerloop/config/schema.h"
#include "outerloop/config/word.h"
#include "outerloop/train/adapter.h"
#include "outerloop/train/evaluation.h"
#include "outerloop/train/setup.h"
#include "outerloop/train/stored_run.h"
#include "outerloop/train/theta.h"
#include "train/preparation.h"

namespace outerloop::train {
namespace {

// Rows of a call where answers do not depend on each other: bounds the memory.
constexpr int64_t kRowsAtOnce = 64;

int64_t rows_of(const Tensor& x) {
  return x.shape().rank() > 0 ? x.shape()[0] : 0;
}

void check_examples(const Tensor& x, const Shape& example, const char* what) {
  const int64_t rows = rows_of(x);
  if (x.dtype() != DType::f32 || rows < 1 || !(x.shape() == meta::with_rows(rows, example))) {
    throw BadInput(fmt::format("{}: expected float32 examples {} in one or more rows, got {} {}",
                               what, to_string(example), name_of(x.dtype()), to_string(x.shape())));
  }
}

void check_answers(const Tensor& y, DType dtype, const Shape& shape) {
  if (y.dtype() == dtype && y.shape() == shape) return;
  throw BadInput(fmt::format("support set: expected {} answers {}, got {} {}", name_of(dtype),
                             to_string(shape), name_of(y.dtype()), to_string(y.shape())));
}

void check_ways(int64_t ways, int64_t most) {
  if (ways < 2) {
    throw BadInput(fmt::format("support set: expected two classes or more, got {}", ways));
  }
  if (most >= 0 && ways > most) {
    throw BadInput(
        fmt::format("support set: {} classes, but the network's last layer tells at most {} apart; "
                    "use fewer classes, or train with tasks.ways={}",
                    ways, most, ways));
  }
}

// Each class has an example, unless it may lack them.
void check_labels(std::span<const int32_t> labels, int64_t ways, bool may_lack) {
  std::vector<int64_t> count(static_cast<size_t>(ways));
  for (const int32_t label : labels) {
    if (label < 0 || label >= ways) {
      throw BadInput(
          fmt::format("support set: expected labels from 0 to {}, got {}", ways - 1, label));
    }
    ++count[static_cast<size_t>(label)];
  }
  const auto empty = std::ranges::find(count, 0);
  if (!may_lack && empty != count.end()) {
    throw BadInput(fmt::format("support set: no example of class {}", empty - count.begin()));
  }
}

}  // namespace

struct Predictor::Impl {
  StoredRun run;
  config::Config config;
  config::Protocol protocol;
  std::optional<data::ImagePreparation> images;
  std::optional<data::TablePreparation> table;
  meta::TaskShape train_shape;
  meta::Learner learner;
  Tensor theta;
  bool one_by_one = false;  // because the answers of a call would depend on each other
};

struct AdaptedPredictor::Impl {
  Impl(std::shared_ptr<const Predictor::Impl> p, const SupportSet& s)
      : predictor(std::move(p)), support{s.x.clone(), s.y.clone(), s.ways} {}

  meta::TaskShape shape(int64_t query_rows) const {
    meta::TaskShape result = predictor->train_shape;
    result.support_rows = rows_of(support.x);
    result.query_rows = query_rows;
    if (result.classification) result.outputs = support.ways;
    result.minibatch_rows = std::min(predictor->protocol.batch, result.support_rows);
    return result;
  }

  class Adaptation;
  Adaptation& adaptation_for(int64_t queries);
  Tensor answer(const Tensor& query_x);

  std::shared_ptr<const Predictor::Impl> predictor;
  SupportSet support;
  std::mutex mutex;  // guards what follows
  std::shared_ptr<Adaptation> adaptation;
};

// A support set adapted to, and the programs that answer so many queries at once.
class AdaptedPredictor::Impl::Adaptation {
 public:
  Adaptation(const Predictor::Impl& from, const SupportSet& support, const meta::TaskShape& task)
      : rows_(task.query_rows),
        adapter_(from.learner, task, from.protocol.steps, compile_options(from.config)) {
    const auto seed = static_cast<uint64_t>(from.config.seed);
    data::Episode episode(episode_spec(task, from.protocol.steps));
    std::memcpy(episode.support_x.data(), support.x.data(), support.x.bytes());
    std::memcpy(episode.support_y.data(), support.y.data(), support.y.bytes());
    if (task.minibatch_rows > 0) {
      data::draw_minibatches({.seed = seed, .split = data::Split::test},
                             static_cast<int>(task.support_rows),
                             episode.minibatches.as<int32_t>());
    }
    adapter_.set_theta(from.theta);
    adapter_.adapt(episode, seed);
  }

  int64_t rows() const { return rows_; }

  // Fewer queries than rows() leave the other rows as they were, whose answers mean nothing.
  std::span<const float> answer(std::span<const float> queries) {
    std::ranges::copy(queries, adapter_.queries().begin());
    return adapter_.answer(adapter_.steps(), static_cast<size_t>(rows_));
  }

 private:
  int64_t rows_;
  Adapter adapter_;
};

// The adaptation that is there, unless its programs do not fit the number of queries.
AdaptedPredictor::Impl::Adaptation& AdaptedPredictor::Impl::adaptation_for(int64_t queries) {
  const bool coupled = predictor->config.model.norm == config::Norm::batch;
  int64_t rows = coupled ? queries : std::min(queries, kRowsAtOnce);
  if (predictor->one_by_one) rows = 1;
  const int64_t kept = adaptation ? adaptation->rows() : 0;
  if (coupled ? kept != rows : kept < rows) {
    adaptation = std::make_shared<Adaptation>(*predictor, support, shape(rows));
  }
  return *adaptation;
}

Tensor AdaptedPredictor::Impl::answer(const Tensor& query_x) {
  const std::lock_guard lock(mutex);
  const int64_t total = rows_of(query_x);
  Adaptation& adapted = adaptation_for(total);
  const auto outputs = static_cast<size_t>(shape(1).outputs);
  Tensor answers(DType::f32, Shape{total, static_cast<int64_t>(outputs)});
  const size_t example = query_x.as<float>().size() / static_cast<size_t>(total);
  for (int64_t first = 0; first < total; first += adapted.rows()) {
    const auto count = static_cast<size_t>(std::min(adapted.rows(), total - first));
    const auto begin = static_cast<size_t>(first);
    const std::span<const float> part =
        adapted.answer(query_x.as<float>().subspan(begin * example, count * example));
    std::ranges::copy(part.first(count * outputs),
                      answers.as<float>().subspan(begin * outputs).begin());
  }
  if (!predictor->train_shape.classification) return answers;
  for (size_t row = 0; row < static_cast<size_t>(total); ++row) {
    to_probabilities(answers.as<float>().subspan(row * outputs, outputs));
  }
  return answers;
}

Tensor AdaptedPredictor::answer(const Tensor& query_x) const {
  check_examples(query_x, impl_->predictor->train_shape.example, "queries");
  return impl_->answer(query_x);
}

namespace {

// What answers follow, of the keys that protocol_overrides() takes.
constexpr auto kFollowed =
    std::to_array<std::string_view>({"inner.steps", "runtime.isa", "test.batch", "test.steps"});

// Refuses words that nothing here would follow.
std::vector<std::string> overrides_of(const PredictorOptions& options) {
  for (const std::string& word : options.overrides) {
    const std::string_view key = config::key_of(word);
    const bool is_of_tasks = key.starts_with("tasks.") || key.starts_with("test.");
    if (!is_of_tasks && !key.starts_with("runtime.")) continue;  // for protocol_overrides()
    if (std::ranges::find(kFollowed, key) != kFollowed.end()) continue;
    if (config::find_key(key) == nullptr) continue;  // refused by the reader, by the nearest key
    throw BadInput(fmt::format("'{}' has no effect here: {}; leave it out", word,
                               is_of_tasks
                                   ? "the support and query examples decide"
                                   : "one thread of the processor answers, by ordered numerics"));
  }
  return options.overrides;
}

}  // namespace

Predictor Predictor::open(const std::filesystem::path& run, const PredictorOptions& options) {
  auto impl = std::make_shared<Impl>();
  impl->run = open_run(run, options.checkpoint, overrides_of(options));
  impl->config = impl->run.config.config;
  config::Config& config = impl->config;
  const bool coupled = config.model.norm == config::Norm::batch;
  if (options.one_by_one) config.learner.transductive = false;
  impl->one_by_one = coupled && !config.learner.transductive;
  impl->protocol = config::test_protocol(config);

  impl->train_shape = {.classification = config::is_classification(config)};
  switch (config.tasks.family) {
    case config::TaskFamily::images: {
      const data::ImagePreparation& p = impl->images.emplace(stored_image_preparation(impl->run));
      impl->train_shape.example = {p.height, p.width, p.channels};
      break;
    }
    case config::TaskFamily::table:
      impl->table = stored_table_preparation(impl->run);
      impl->train_shape.example = {impl->table->inputs()};
      break;
    case config::TaskFamily::sinusoid:
    case config::TaskFamily::harmonic:
      impl->train_shape.example = {1};
  }
  const config::Protocol training = config::training_protocol(config);
  impl->train_shape.outputs = training.ways;
  impl->train_shape.support_rows = training.ways * training.shots;
  impl->train_shape.query_rows = training.ways * training.queries;
  impl->learner = meta::make_learner(config, impl->train_shape);
  impl->theta = answering_theta(impl->run.checkpoint, layout_of(impl->learner.parameters));
  return Predictor(std::move(impl));
}

bool Predictor::classification() const {
  return impl_->train_shape.classification;
}
const Shape& Predictor::example() const {
  return impl_->train_shape.example;
}
int64_t Predictor::most_ways() const {
  return classification() ? impl_->learner.head_outputs : 1;
}
int64_t Predictor::outputs() const {
  return impl_->train_shape.outputs;
}
int64_t Predictor::steps() const {
  return impl_->protocol.steps;
}
bool Predictor::transductive() const {
  return impl_->config.model.norm == config::Norm::batch && impl_->config.learner.transductive;
}
bool Predictor::labels_are_classes() const {
  return impl_->table && most_ways() >= 0 && std::ssize(impl_->table->classes) == most_ways();
}
const std::optional<data::ImagePreparation>& Predictor::image_preparation() const {
  return impl_->images;
}
const std::optional<data::TablePreparation>& Predictor::table_preparation() const {
  return impl_->table;
}
const std::string& Predictor::task_column() const {
  return impl_->config.tasks.table.task;
}
const std::filesystem::path& Predictor::checkpoint_file() const {
  return impl_->run.checkpoint_file;
}

AdaptedPredictor Predictor::adapt(const SupportSet& support) const {
  check_examples(support.x, example(), "support set");
  const int64_t rows = rows_of(support.x);
  if (!classification()) {
    check_answers(support.y, DType::f32, Shape{rows, outputs()});
  } else {
    check_ways(support.ways, most_ways());
    check_answers(support.y, DType::i32, Shape{rows});
    check_labels(support.y.as<int32_t>(), support.ways, labels_are_classes());
  }
  return AdaptedPredictor(std::make_shared<AdaptedPredictor::Impl>(impl_, support));
}

}  // namespace outerloop::train
