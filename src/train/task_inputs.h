#pragma once
// The per-lane inputs that come from a task: its episode and the key of its random draws.

#include "outerloop/data/family.h"
#include "outerloop/ir/program.h"

namespace outerloop::train {

// Four words.
void write_dropout_key(const data::TaskKey& key, std::span<int32_t> words);

class TaskInputs {
 public:
  explicit TaskInputs(const data::EpisodeSpec& spec);
  TaskInputs(const TaskInputs&) = delete;
  TaskInputs& operator=(const TaskInputs&) = delete;

  void draw(const data::TaskFamily& family, const data::TaskKey& key);
  // Throws BadInput when a tensor has another size.
  void copy(const data::Episode& episode, const data::TaskKey& key);
  void copy(const TaskInputs& drawn);  // of the same specification
  // As the first copy(), without the queries.
  void copy_support(const data::Episode& episode, const data::TaskKey& key);
  std::span<float> query_x() { return buffers_.query_x; }

  // The memory of a program's input, or nullptr when it does not come from the task. A minibatch
  // input gets the rows from `first_step` on.
  const void* find(const std::string& name, const TensorType& type, int64_t first_step) const;
  static size_t bytes(const data::EpisodeSpec& spec);  // that one holds

 private:
  data::Episode episode_;
  data::EpisodeBuffers buffers_;
  Tensor dropout_key_;
};

}  // namespace outerloop::train
