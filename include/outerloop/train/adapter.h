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

// Compiled for tasks of one shape. For one thread at a time.
class Adapter {
 public:
  // shape.query_rows: the rows of an answer. Where `most_rows` is greater, calls of so many rows
  // answer from the same phi.
  Adapter(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
          const exec::CompileOptions& compile = {}, int64_t most_rows = 0);
  ~Adapter();
  Adapter(Adapter&&) noexcept;
  Adapter& operator=(Adapter&&) noexcept;

  int64_t steps() const;  // 0 for learners without steps
  // Counted from the op records: all inner steps, and a call for so many rows after `step` of them.
  double adapt_flops() const;
  double answer_flops(int64_t step, int64_t rows) const;
  // Copies; (layout elements,) as in layout_of(learner.parameters). Then adapt() anew.
  void set_theta(const Tensor& flat);

  // Takes all inner steps on the episode's support set and keeps phi after each; its queries are
  // not looked at. `seed` is that of the minibatches' episode.
  void adapt(const data::Episode& episode, uint64_t seed);

  // After `step` steps: query_x (rows, example …) to (rows, outputs), logits or values, which hold
  // until the next call. As many rows as a call has or fewer: the call's others hold what earlier
  // ones left, and nobody sees their answers. Copies query_x once, into the call's input. Costs one
  // forward pass. Where batch norm couples the rows of a call, they are all of one task's queries.
  std::span<const float> answer(int64_t step, std::span<const float> query_x);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::train
