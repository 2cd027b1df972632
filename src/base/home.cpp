#include "outerloop/base/home.h"

#include <cstdlib>

namespace outerloop {

std::string with_home(std::string_view path) {
  const char* home = std::getenv("HOME");
  const bool begins_there = path == "~" || path.starts_with("~/");
  if (!begins_there || home == nullptr || *home == '\0') return std::string(path);
  return home + std::string(path.substr(1));
}

}  // namespace outerloop
