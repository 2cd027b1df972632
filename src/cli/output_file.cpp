#include "cli/output_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "outerloop/base/error.h"

namespace outerloop::cli {

void require_place_for(const std::filesystem::path& file,
                       std::initializer_list<std::filesystem::path> inputs) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw BadInput(fmt::format("{}: cannot be written, there is no folder {}; make it first",
                               file.string(), folder.string()));
  }
  if (std::filesystem::is_directory(file, ignored)) {
    throw BadInput(fmt::format("{}: is a folder; name a file to write", file.string()));
  }
  if (std::filesystem::exists(file, ignored) && !std::filesystem::is_regular_file(file, ignored)) {
    throw BadInput(fmt::format("{}: is a device or a pipe; name a file to write", file.string()));
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw BadInput(fmt::format("{}: cannot be written: folder {}: {}", file.string(),
                               folder.string(), std::strerror(errno)));
  }
  for (const std::filesystem::path& input : inputs) {
    if (std::filesystem::equivalent(file, input, ignored)) {
      throw BadInput(fmt::format("{}: is read from and would be written over; name another file",
                                 file.string()));
    }
  }
}

}  // namespace outerloop::cli
