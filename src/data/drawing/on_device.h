#pragma once
// What a device needs for a family whose drawing has these addresses there.

#include <fmt/format.h>

#include <cstring>
#include <type_traits>

#include "data/drawing/lane_drawing.h"
#include "outerloop/data/device_drawing.h"

namespace outerloop::data {

// `type`: of the drawing. `room`: ints that it works in.
template <class Drawing>
DeviceDrawing on_device(std::string_view type, const Drawing& drawing, const EpisodeShape& shape,
                        unsigned room) {
  static_assert(std::is_trivially_copyable_v<Drawing>);
  const LaneDrawing<Drawing> lane{
      .support_rows = static_cast<unsigned>(shape.support_rows()),
      .minibatch_indices = static_cast<unsigned>(shape.minibatch_steps * shape.minibatch_rows),
      .drawing = drawing};
  DeviceDrawing result{
      .call = fmt::format("outerloop::data::draw_lane<outerloop::data::{}>(p, scratch)", type),
      .parameters = std::vector<std::byte>(sizeof(lane)),
      .scratch_bytes = static_cast<int64_t>((kGroupWords + room) * sizeof(int))};
  std::memcpy(result.parameters.data(), &lane, sizeof(lane));
  return result;
}

// Where the device has an array.
template <class T>
const T* sent(const SendUp& send_up, const T* values, size_t count) {
  return reinterpret_cast<const T*>(send_up(std::as_bytes(std::span(values, count))));
}

}  // namespace outerloop::data
