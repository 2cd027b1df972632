#pragma once
// A lock that excludes other processes, on any host that shares the file.

#include <filesystem>
#include <optional>

namespace outerloop {

// Held until destroyed, or until the process ends, however it ends. Where the file system knows no
// locks, everybody gets one.
class FileLock {
 public:
  // Nothing when somebody holds it. Makes the file if there is none; throws SystemFailure.
  static std::optional<FileLock> take(const std::filesystem::path& file);
  // Asks without taking: a look never makes another process miss the lock. Who may read the file
  // may ask.
  static bool is_taken(const std::filesystem::path& file);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

  // A process that is started with the descriptor open holds the lock too.
  int descriptor() const { return descriptor_; }

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace outerloop
