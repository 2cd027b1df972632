#pragma once
// Files that appear whole or not at all: written under a temporary name in the same folder, synced,
// renamed, and the folder synced. A reader sees the old file or the new one, whatever is killed
// when. Every function throws SystemFailure with path, step and the system's reason.

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace outerloop {

// The folder that a file of this name lies in: "." where the name has none.
std::filesystem::path folder_of(const std::filesystem::path& file);

// Replaces `file` by `content`.
void write_file_atomically(const std::filesystem::path& file, std::string_view content);
void write_file_atomically(const std::filesystem::path& file, std::span<const std::byte> content);

// For content that another library writes by name: it writes temporary(), then commit() puts it at
// its place. Without commit the destructor removes the temporary file.
class AtomicFile {
 public:
  // `temporary` must lie in the folder of `target`; the one-argument form makes a name of its own.
  explicit AtomicFile(const std::filesystem::path& target);
  AtomicFile(std::filesystem::path target, std::filesystem::path temporary);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::filesystem::path& target() const { return target_; }
  const std::filesystem::path& temporary() const { return temporary_; }

  // Syncs the temporary file, renames it to the target and syncs the folder.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  bool committed_ = false;
};

// What a temporary name says: the name of the file that it stands for, and who writes it.
struct Temporary {
  std::string target;
  pid_t process;
};
// Nothing for other names.
std::optional<Temporary> temporary_named(std::string_view name);

// Waits until the file's (folder's) content is on stable storage.
void sync_file(const std::filesystem::path& file);
void sync_folder(const std::filesystem::path& folder);

// Points the symbolic link `link` at `target` (stored as given), replacing an older link
// atomically.
void replace_symlink(const std::filesystem::path& link, const std::filesystem::path& target);

// Whole content. Throws BadInput when the file does not exist, SystemFailure when it cannot be
// read.
std::string read_file(const std::filesystem::path& file);

}  // namespace outerloop
