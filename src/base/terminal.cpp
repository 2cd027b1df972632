#include "outerloop/base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace outerloop {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

std::optional<ColorMode> parse_color_mode(std::string_view text) {
  if (text == "auto") return ColorMode::automatic;
  if (text == "always") return ColorMode::always;
  if (text == "never") return ColorMode::never;
  return std::nullopt;
}

Terminal detect_terminal(int fd, ColorMode mode) {
  Terminal terminal;
  const char* kind = std::getenv("TERM");
  terminal.interactive = isatty(fd) == 1 && std::string_view(kind ? kind : "dumb") != "dumb";
  switch (mode) {
    case ColorMode::always:
      terminal.color = true;
      break;
    case ColorMode::never:
      terminal.color = false;
      break;
    case ColorMode::automatic:
      terminal.color = !is_set("NO_COLOR") && (is_set("FORCE_COLOR") || terminal.interactive);
  }
  winsize size{};
  if (isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.width = size.ws_col;
  }
  return terminal;
}

}  // namespace outerloop
