#include "interp/line_pieces.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace outerloop::interp {
namespace {

constexpr float kInk = 0.5F;     // of the strongest pixel
constexpr float kEdge = 0.125F;  // of the strongest pixel: belongs to ink beside it
constexpr size_t kShortest = 3;  // pixels of a thinned line; shorter ones are rough edges

// Clockwise from the pixel above.
constexpr std::array<std::array<int64_t, 2>, 8> kAround = {
    {{-1, 0}, {-1, 1}, {0, 1}, {1, 1}, {1, 0}, {1, -1}, {0, -1}, {-1, -1}}};

class Drawing {
 public:
  Drawing(std::span<const float> image, const ImageSize& size) : image_(image), size_(size) {
    strongest_ = std::ranges::max(image);
    for (const float value : image) is_ink_.push_back(value > 0 && value >= kInk * strongest_);
    is_line_ = is_ink_;
  }

  std::vector<int32_t> pieces(int64_t most) {
    for (size_t gone = 1; gone > 0;) {
      gone = thin(0);
      gone += thin(1);
    }
    std::vector<int32_t> piece = spread(cut());
    return by_size(piece, static_cast<int32_t>(most));
  }

 private:
  static size_t at(int64_t i) { return static_cast<size_t>(i); }

  // -1 outside.
  int64_t beside(int64_t pixel, size_t direction) const {
    const int64_t y = pixel / size_.width + kAround.at(direction)[0];
    const int64_t x = pixel % size_.width + kAround.at(direction)[1];
    const bool is_inside = y >= 0 && y < size_.height && x >= 0 && x < size_.width;
    return is_inside ? y * size_.width + x : -1;
  }

  std::array<bool, 8> around(int64_t pixel) const {
    std::array<bool, 8> set{};
    for (size_t d = 0; d < 8; ++d) {
      const int64_t other = beside(pixel, d);
      set.at(d) = other >= 0 && is_line_[at(other)];
    }
    return set;
  }

  // How often a walk around a pixel comes from paper to line.
  static int64_t lines_at(const std::array<bool, 8>& set) {
    int64_t lines = 0;
    for (size_t d = 0; d < 8; ++d) lines += !set.at(d) && set.at((d + 1) % 8) ? 1 : 0;
    return lines;
  }

  // Half a round of Zhang and Suen: pixels of one side's edge, all at once. How many went.
  size_t thin(int half) {
    std::vector<int64_t> gone;
    for (int64_t pixel = 0; pixel < size_.pixels(); ++pixel) {
      if (!is_line_[at(pixel)]) continue;
      const auto p = around(pixel);
      const auto count = std::ranges::count(p, true);
      if (count < 2 || count > 6 || lines_at(p) != 1) continue;
      const bool up = p[0], right = p[2], down = p[4], left = p[6];
      const bool stays = half == 0 ? (up && right && down) || (right && down && left)
                                   : (up && right && left) || (up && down && left);
      if (!stays) gone.push_back(pixel);
    }
    for (const int64_t pixel : gone) is_line_[at(pixel)] = false;
    return gone.size();
  }

  // Connected pixels of the thinned lines, without those where three or more meet and those beside
  // them, around which the ends would still touch.
  std::vector<int32_t> cut() const {
    std::vector<bool> is_open(is_line_);
    for (int64_t pixel = 0; pixel < size_.pixels(); ++pixel) {
      if (!is_line_[at(pixel)] || lines_at(around(pixel)) < 3) continue;
      is_open[at(pixel)] = false;
      for (size_t d = 0; d < 8; ++d) {
        if (const int64_t other = beside(pixel, d); other >= 0) is_open[at(other)] = false;
      }
    }
    std::vector<int32_t> piece(is_open.size(), -1);
    int32_t next = 0;
    for (int64_t pixel = 0; pixel < size_.pixels(); ++pixel) {
      if (!is_open[at(pixel)]) continue;
      const std::vector<int64_t> line = connected(pixel, is_open);
      for (const int64_t p : line) {
        is_open[at(p)] = false;
        if (line.size() >= kShortest) piece[at(p)] = next;
      }
      if (line.size() >= kShortest) ++next;
    }
    add_dots(piece, next);
    return piece;
  }

  // Connected ink without a line that is long enough is a piece.
  void add_dots(std::vector<int32_t>& piece, int32_t next) const {
    std::vector<bool> is_left(is_ink_);
    for (int64_t pixel = 0; pixel < size_.pixels(); ++pixel) {
      if (!is_left[at(pixel)]) continue;
      const std::vector<int64_t> ink = connected(pixel, is_left);
      const bool has_line = std::ranges::any_of(ink, [&](int64_t p) { return piece[at(p)] >= 0; });
      for (const int64_t p : ink) {
        is_left[at(p)] = false;
        if (!has_line) piece[at(p)] = next;
      }
      if (!has_line) ++next;
    }
  }

  // By edges and corners.
  std::vector<int64_t> connected(int64_t start, const std::vector<bool>& is_in) const {
    std::vector<bool> seen(is_in.size());
    std::vector<int64_t> part{start};
    seen[at(start)] = true;
    for (size_t i = 0; i < part.size(); ++i) {
      for (size_t d = 0; d < 8; ++d) {
        const int64_t other = beside(part[i], d);
        if (other < 0 || seen[at(other)] || !is_in[at(other)]) continue;
        seen[at(other)] = true;
        part.push_back(other);
      }
    }
    return part;
  }

  // Step by step from the lines through ink and its edge; the lower number where two meet.
  std::vector<int32_t> spread(std::vector<int32_t> piece) const {
    std::vector<int64_t> reached;
    for (int64_t pixel = 0; pixel < size_.pixels(); ++pixel) {
      if (piece[at(pixel)] >= 0) reached.push_back(pixel);
    }
    std::ranges::stable_sort(reached, {}, [&](int64_t pixel) { return piece[at(pixel)]; });
    for (size_t i = 0; i < reached.size(); ++i) {
      for (size_t d = 0; d < 8; ++d) {
        const int64_t other = beside(reached[i], d);
        if (other < 0 || piece[at(other)] >= 0 || image_[at(other)] < kEdge * strongest_) continue;
        piece[at(other)] = piece[at(reached[i])];
        reached.push_back(other);
      }
    }
    return piece;
  }

  static std::vector<int32_t> by_size(const std::vector<int32_t>& piece, int32_t most) {
    const auto count = at(std::ranges::max(piece) + 1);
    std::vector<size_t> pixels(count), first(count, piece.size()), order(count);
    for (size_t i = piece.size(); i-- > 0;) {
      if (piece[i] < 0) continue;
      ++pixels[at(piece[i])];
      first[at(piece[i])] = i;
    }
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, [&](size_t a, size_t b) {
      return pixels[a] != pixels[b] ? pixels[a] > pixels[b] : first[a] < first[b];
    });
    std::vector<int32_t> place(count);
    for (size_t i = 0; i < count; ++i) {
      place[order[i]] = std::min(static_cast<int32_t>(i), most - 1);
    }
    std::vector<int32_t> ordered;
    for (const int32_t p : piece) ordered.push_back(p < 0 ? -1 : place[at(p)]);
    return ordered;
  }

  std::span<const float> image_;
  ImageSize size_;
  float strongest_ = 0;
  std::vector<bool> is_ink_, is_line_;
};

}  // namespace

std::vector<int32_t> line_pieces(std::span<const float> image, const ImageSize& size,
                                 int64_t most) {
  return Drawing(image, size).pieces(most);
}

}  // namespace outerloop::interp
