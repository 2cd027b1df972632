#pragma once
// What an output stream can show.

#include <optional>
#include <string_view>

namespace outerloop {

enum class ColorMode { automatic, always, never };

// "auto", "always" or "never"; nothing otherwise.
std::optional<ColorMode> parse_color_mode(std::string_view text);

struct Terminal {
  bool interactive = false;  // lines may be redrawn
  bool color = false;
  int width = 80;  // columns
};

// Looks at file descriptor `fd`. Under ColorMode::automatic, NO_COLOR turns colour off, else
// FORCE_COLOR turns it on, else terminals other than TERM=dumb have it (no-color.org).
Terminal detect_terminal(int fd, ColorMode mode = ColorMode::automatic);

}  // namespace outerloop
