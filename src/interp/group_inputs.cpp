#include "interp/group_inputs.h"

#include <algorithm>

namespace outerloop::interp {

void GroupInputs::look_at(std::span<const float> rows) {
  inputs_.clear();
  if (!scoring_.lines) return;
  const LineGroups& lines = *scoring_.lines;
  const ImageSize size{lines.height, lines.width, 1};
  const auto pixels = static_cast<size_t>(size.pixels());
  const size_t groups = lines.places.size();
  const size_t count = rows.size() / pixels;
  inputs_.resize(groups * count);
  for (size_t row = 0; row < count; ++row) {
    const auto piece = line_pieces(rows.subspan(row * pixels, pixels), size, lines.most);
    for (size_t g = 0; g < groups; ++g) {
      for (size_t pixel = 0; pixel < pixels; ++pixel) {
        if (piece[pixel] != lines.places[g]) continue;
        inputs_[g * count + row].push_back(static_cast<uint32_t>(pixel));
      }
    }
  }
}

RowInputs GroupInputs::of(size_t group) const {
  if (!scoring_.lines) return {scoring_.groups[group].columns, {}};
  const size_t count = inputs_.size() / scoring_.lines->places.size();
  return {{}, std::span(inputs_).subspan(group * count, count)};
}

}  // namespace outerloop::interp
