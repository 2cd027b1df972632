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
  inputs_.resize(rows.size() / pixels * groups);
  for (size_t row = 0; row * pixels < rows.size(); ++row) {
    const auto piece = line_pieces(rows.subspan(row * pixels, pixels), size, lines.most);
    for (size_t g = 0; g < groups; ++g) {
      for (size_t pixel = 0; pixel < pixels; ++pixel) {
        if (piece[pixel] != lines.places[g]) continue;
        inputs_[row * groups + g].push_back(static_cast<uint32_t>(pixel));
      }
    }
  }
}

std::span<const uint32_t> GroupInputs::of(size_t group, size_t row) const {
  if (!scoring_.lines) return scoring_.groups[group].columns;
  return inputs_[row * scoring_.lines->places.size() + group];
}

}  // namespace outerloop::interp
