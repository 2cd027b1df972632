#pragma once
// How a device draws tasks by itself, with the bits that TaskFamily::draw() gives.
//
// draw_lane(p, scratch), device code, draws the episode of one lane: 32 threads, with the operands
// DrawingOperand. Lane l draws slot key.slot + l of iteration key.iteration + step.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/data/episode.h"
#include "outerloop/data/lane_key.h"

namespace outerloop::data {

enum class DrawingOperand : uint8_t {
  key,         // a LaneKey
  step,        // uint32
  parameters,  // DeviceDrawing::parameters
  support_x,   // as TaskFamily::spec() has them; of images their names, int32 (rows,):
  query_x,     // image * 4 + quarter turns counter-clockwise
  support_y,
  query_y,
  minibatches,
  dropout_key,  // (4,) int32
  count,
};
inline constexpr int kDrawingThreads = 32;

LaneKey lane_key(const TaskKey& key);

struct DeviceDrawing {
  std::string call;                   // CUDA C++: "….draw_lane<…>(p, scratch)"
  std::vector<std::byte> parameters;  // with addresses of the device
  int64_t scratch_bytes = 0;          // of shared memory
};
// What `call` needs, after the text that all kernels share: one after the other.
std::span<const std::string_view> device_drawing_headers();

// Where the device has these bytes, which it must have as long as it draws.
using SendUp = std::function<const std::byte*(std::span<const std::byte>)>;

}  // namespace outerloop::data
