#pragma once
// Adapting to a task once, and answering any rows after any number of inner steps.

#include <cstdint>
#include <memory>
#include <span>

#include "outerloop/data/episode.h"
#include "outerloop/exec/executable.h"
#include "outerloop/meta/plan.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::train {

struct AnswerCalls {
  // Where greater than the task's queries: calls of so many rows answer from the same phi too.
  int64_t most_rows = 0;
  // Where the learner's plan has its answers cut (meta::AnswerPlan::cut): from the products of the
  // first layer, which the caller may change, instead of from query rows.
  bool from_products = false;
};

// Compiled for tasks of one shape. For one thread at a time.
class Adapter {
 public:
  Adapter(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
          const exec::CompileOptions& compile = {}, const AnswerCalls& calls = {});
  ~Adapter();
  Adapter(Adapter&&) noexcept;
  Adapter& operator=(Adapter&&) noexcept;

  int64_t steps() const;  // 0 for learners without steps
  // Counted from the op records: all inner steps, a call for so many rows after `step` of them, and
  // product().
  double adapt_flops() const;
  double answer_flops(int64_t step, int64_t rows) const;
  double product_flops(int64_t step) const;  // 0: answers start from query rows
  // Copies; (layout elements,) as in layout_of(learner.parameters). Then adapt() anew.
  void set_theta(const Tensor& flat);

  // Takes all inner steps on the episode's support set and keeps phi after each; its queries are
  // not looked at. `seed` is that of the minibatches' episode.
  void adapt(const data::Episode& episode, uint64_t seed);

  // The rows that are asked about, for the caller to fill: (rows of the largest call, example …);
  // where answers start from products, (shape.query_rows, example …), which product() reads.
  std::span<float> queries();

  // Of the first layer: of all queries() with its weight after `step` steps. Both hold until the
  // next product() of that step.
  struct Product {
    std::span<const float> values;  // (shape.query_rows, width)
    std::span<const float> weight;  // (inputs, width)
  };
  size_t product_width() const;  // 0: answers start from query rows
  Product product(int64_t step);
  std::span<float> products();  // for the caller to fill: (rows of the largest call, width)

  // After `step` steps: the first `rows` rows of queries(), or of products(), to (rows, outputs),
  // logits or values, which hold until the next call. As many rows as a call has or fewer: the
  // call's others hold what earlier ones left, and nobody sees their answers. Costs one forward
  // pass. Where batch norm couples the rows of a call, they are all of one task's queries.
  std::span<const float> answer(int64_t step, size_t rows);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::train
