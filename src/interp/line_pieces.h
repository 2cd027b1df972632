#pragma once
// The lines of a drawing in pieces: what can be known of its strokes without the pen's path.
//
// Ink is what is at least half as strong as the strongest pixel. It is thinned to lines of one
// pixel (Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", 1984), which
// are cut where three or more meet; a pixel of ink, or of its grey edge, is of the nearest piece.
// Strokes that cross or touch become several pieces, and strokes that go on from one another's end
// one.

#include "interp/superpixels.h"

namespace outerloop::interp {

// Of each pixel its piece, the largest first (equals in reading order), or -1; the pieces from
// number most - 1 on are one. `image` has one channel, 0 where there is no ink.
std::vector<int32_t> line_pieces(std::span<const float> image, const ImageSize& size, int64_t most);

}  // namespace outerloop::interp
