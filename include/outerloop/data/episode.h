#pragma once
// An episode: the support and query sets of one task, in buffers that the caller owns.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "outerloop/tensor/tensor.h"

namespace outerloop::data {

enum class Split : uint8_t { train, validation, test };
inline constexpr std::array<Split, 3> kSplits = {Split::train, Split::validation, Split::test};

std::string_view name_of(Split split);  // "train", "validation", "test"
// By that name; validation also as val or valid.
std::optional<Split> split_named(std::string_view name);

// Names one task. The episode is a pure function of the family and of these four numbers.
struct TaskKey {
  uint64_t seed = 0;
  Split split = Split::train;
  uint64_t iteration = 0;  // below 2^48
  uint32_t slot = 0;       // place in the meta-batch
};

// Classification: ways * shots support rows and ways * queries query rows, class-major: rows
// c * shots … c * shots + shots - 1 are of class c, and class c has label c. Regression: ways is 1,
// shots support points and queries query points.
struct EpisodeShape {
  int ways = 1;
  int shots = 1;
  int queries = 1;  // per class
  // Optional minibatches of the inner loop: steps of so many support rows each (0: none).
  int minibatch_steps = 0;
  int minibatch_rows = 0;

  int support_rows() const { return ways * shots; }
  int query_rows() const { return ways * queries; }
};

struct TensorSpec {
  DType dtype = DType::f32;
  Shape shape;  // outermost axis = rows
};

// Labels are int32 (rows), targets float32 (rows, outputs).
struct EpisodeSpec {
  TensorSpec support_x;  // (ways * shots, …) float32; images (rows, height, width, channels)
  TensorSpec support_y;
  TensorSpec query_x;
  TensorSpec query_y;
  std::optional<TensorSpec> minibatches;  // (steps, minibatch rows) int32: indices of support rows
  bool classification = false;
};

// Where an episode goes; sizes as in the spec. Of labels and targets the pair that the family does
// not use is empty, and so are the minibatches of a shape without them.
struct EpisodeBuffers {
  std::span<float> support_x;
  std::span<float> query_x;
  std::span<float> support_targets;
  std::span<float> query_targets;
  std::span<int32_t> support_labels;
  std::span<int32_t> query_labels;
  std::span<int32_t> minibatches;
};

// An episode that owns its memory.
class Episode {
 public:
  explicit Episode(const EpisodeSpec& spec);

  EpisodeBuffers buffers();

  Tensor support_x;
  Tensor support_y;
  Tensor query_x;
  Tensor query_y;
  Tensor minibatches;  // empty without minibatches
};

}  // namespace outerloop::data
