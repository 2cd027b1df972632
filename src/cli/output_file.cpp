#include "cli/output_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/train/run_folder.h"
#include "outerloop/train/stored_run.h"

namespace outerloop::cli {

void require_writable(const std::filesystem::path& file, std::string_view cure) {
  const std::filesystem::path folder = folder_of(file);
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
    throw BadInput(fmt::format("{}: cannot be written: folder {}: {}; {}", file.string(),
                               folder.string(), std::strerror(errno), cure));
  }
}

void require_place_for(const std::filesystem::path& file,
                       const std::vector<std::filesystem::path>& inputs) {
  require_writable(file);
  std::error_code ignored;
  for (const std::filesystem::path& input : inputs) {
    if (std::filesystem::equivalent(file, input, ignored)) {
      throw BadInput(fmt::format("{}: is read from and would be written over; name another file",
                                 file.string()));
    }
  }
  // Without and with the folder's links; the file's own is what would be replaced.
  for (const auto& folder :
       {std::filesystem::weakly_canonical(folder_of(file), ignored),
        std::filesystem::absolute(folder_of(file), ignored).lexically_normal()}) {
    const std::optional<train::RunFolder> run = train::run_around(folder);
    if (run && run->owns(folder / file.filename())) {
      throw BadInput(fmt::format("{}: belongs to the run {}; name a file elsewhere", file.string(),
                                 run->root.string()));
    }
  }
}

std::vector<std::filesystem::path> with_dataset(const std::filesystem::path& run) {
  std::vector<std::filesystem::path> files{run};
  if (const auto folder = train::run_around(run)) files.push_back(train::known_dataset(*folder));
  return files;
}

}  // namespace outerloop::cli
