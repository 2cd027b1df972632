#include "train/folder_claim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "outerloop/base/error.h"
#include "outerloop/base/host_name.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& root, const char* what, int error) {
  const std::string text =
      fmt::format("run_dir {}: cannot be {}: {}", root.string(), what, std::strerror(error));
  const bool disk = error == ENOSPC || error == EDQUOT || error == EIO;
  if (disk) throw SystemFailure(text);
  throw BadInput(text + "; choose another run_dir");
}

// What a start that was killed early leaves, and what schedulers put there.
bool may_come_before_a_run(const fs::path& name) {
  return name == ".lock" || name == "log" || name == "STOP" || name.extension() == ".out" ||
         name.extension() == ".err" || name.extension() == ".log";
}

void create(const RunFolder& folder) {
  std::error_code error;
  fs::create_directories(folder.root, error);
  // A file in the way is no error of create_directories itself.
  if (!error && !fs::is_directory(folder.root, error))
    error = std::make_error_code(std::errc::file_exists);
  if (error) refuse(folder.root, "created", error.value());
  std::error_code unknown;  // opening the lock reports what is wrong
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.root, unknown)) {
    if (may_come_before_a_run(entry.path().filename())) continue;
    // Looked for after the entry: another start may be making both.
    if (fs::exists(folder.checkpoints(), unknown)) return;
    throw BadInput(
        fmt::format("run_dir {}: holds '{}' but no ckpt folder, so it is no run; choose another "
                    "run_dir",
                    folder.root.string(), entry.path().filename().string()));
  }
}

// "process 17 on host", or nothing.
std::string owner(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t length = ::pread(descriptor, text.data(), text.size(), 0);
  return length > 0 ? std::string(text.data(), static_cast<size_t>(length)) : std::string();
}

void sign(int descriptor) {
  const std::string text = fmt::format("process {} on {}", ::getpid(), host_name());
  // Only a message's wording depends on this.
  [[maybe_unused]] const bool written =
      ::ftruncate(descriptor, 0) == 0 && ::pwrite(descriptor, text.data(), text.size(), 0) > 0;
}

}  // namespace

FolderClaim::FolderClaim(const RunFolder& folder) {
  create(folder);
  const fs::path file = folder.root / ".lock";
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) refuse(folder.root, "written", errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
    sign(descriptor_);
    std::error_code ignored;
    fs::remove(folder.stop_file(), ignored);
    return;
  }
  // Some file systems know no locks: there the user takes care.
  if (errno != EWOULDBLOCK) return;
  std::string who = owner(descriptor_);
  if (who.empty()) who = "another process";
  ::close(descriptor_);
  throw BadInput(fmt::format("{} is being trained by {}; `outerloop stop {}` ends that",
                             folder.root.string(), who, folder.root.string()));
}

FolderClaim::~FolderClaim() {
  ::close(descriptor_);
}

bool may_be_in_training(const RunFolder& folder) {
  const int descriptor = ::open((folder.root / ".lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return errno != ENOENT;
  const bool is_free = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0;
  const bool ours = owner(descriptor).ends_with(" on " + host_name());
  ::close(descriptor);
  // The locks of another host may not reach this one.
  return !is_free || !ours;
}

}  // namespace outerloop::train
