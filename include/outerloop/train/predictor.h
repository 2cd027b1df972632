#pragma once
// Adapting a stored run to a person's own few examples, and answering their queries.
//
//   const auto predictor = train::Predictor::open("runs/omniglot_maml-seed0");
//   const auto adapted = predictor.adapt({.x = images, .y = labels, .ways = 5});
//   const Tensor answers = adapted.answer(queries);   // (queries, 5) class probabilities

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/data/image_set.h"
#include "outerloop/data/table_set.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::train {

struct PredictorOptions {
  std::string checkpoint = "best";  // as in open_run()
  // As in protocol_overrides(), but test.steps, inner.steps, test.batch and runtime.isa alone.
  std::vector<std::string> overrides;
  // Each query is answered alone beside the support set, also by a network whose batch norm would
  // see all queries at once.
  bool one_by_one = false;
};

// Any number of rows, and of rows per class.
struct SupportSet {
  Tensor x;          // (rows, example …) float32
  Tensor y;          // labels 0 … ways-1, (rows,) int32; or targets (rows, outputs) float32
  int64_t ways = 1;  // classes; 1 for regression
};

// A stored run and one support set. Keeps what it needs of the predictor alive.
class AdaptedPredictor {
 public:
  // query_x: (rows, example …). Gives (rows, ways) class probabilities or (rows, outputs) values
  // after the last step. Values that are not finite say that the adaptation diverged. Throws
  // BadInput when the examples have another shape. From several threads: one call at a time works.
  //
  // Cost: the first call compiles programs for its number of queries, 64 at most, and takes all
  // inner steps. They are kept: from then on every 64 queries, or fewer, cost their own answers.
  // Where batch norm sees all queries of a call, a call with another number of them starts anew.
  Tensor answer(const Tensor& query_x) const;

 private:
  friend class Predictor;
  struct Impl;
  explicit AdaptedPredictor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

class Predictor {
 public:
  // Needs the run folder alone, not its data. Throws BadInput when it is no run folder or has no
  // checkpoint.
  static Predictor open(const std::filesystem::path& run, const PredictorOptions& options = {});

  bool classification() const;
  const Shape& example() const;  // of one input: (features) or (height, width, channels)
  int64_t most_ways() const;     // classes; -1: any number
  int64_t outputs() const;       // of a regression target
  int64_t steps() const;         // of the adaptation
  // Batch norm over all queries of a call: an answer depends on the other queries.
  bool transductive() const;
  // Of a table whose tasks had all classes: label i is class i of the preparation, as in training,
  // so that a support set may lack some of them.
  bool labels_are_classes() const;
  // How a person's images, or rows of a table, become inputs; nothing where inputs are no such.
  // Answers of a table with a real target are standardised as in the preparation.
  const std::optional<data::ImagePreparation>& image_preparation() const;
  const std::optional<data::TablePreparation>& table_preparation() const;
  const std::string& task_column() const;  // of the table that it learned from
  const std::filesystem::path& checkpoint_file() const;

  // Throws BadInput when the support set does not fit: shapes, labels, too many ways, no rows.
  AdaptedPredictor adapt(const SupportSet& support) const;

 private:
  friend class AdaptedPredictor;
  struct Impl;
  explicit Predictor(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace outerloop::train
