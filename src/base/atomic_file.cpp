#include "outerloop/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = ".tmp-";

[[noreturn]] void fail(const fs::path& path, const char* step, int error) {
  throw SystemFailure(fmt::format("{}: cannot {}: {}", path.string(), step, errno_text(error)));
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, const char* step)
      : path_(path), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) fail(path_, step, errno);
  }
  // Owns an open one; errors name `path`.
  Descriptor(fs::path path, int opened) : path_(std::move(path)), descriptor_(opened) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return descriptor_; }
  void sync() const {
    if (::fsync(descriptor_) != 0) fail(path_, "sync", errno);
  }
  // Some file systems report a failed write only here.
  void close() {
    if (::close(std::exchange(descriptor_, -1)) != 0) fail(path_, "close", errno);
  }

 private:
  fs::path path_;
  int descriptor_;
};

// Unique among the processes of a host and the threads of a process.
fs::path temporary_name(const fs::path& target) {
  static std::atomic<int> counter = 0;
  return folder_of(target) /
         fmt::format("{}{}-{}-{}", kTemporary, target.filename().string(), ::getpid(), counter++);
}

// `make` is given a name, and refuses one that is taken: a killed process of the same number, or
// one in another container, may have left it.
template <class Make>
fs::path make_temporary(const fs::path& target, const char* step, const Make& make) {
  while (true) {
    fs::path name = temporary_name(target);
    if (make(name.c_str()) >= 0) return name;
    if (errno != EEXIST) fail(target, step, errno);
  }
}

}  // namespace

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

void write_file_atomically(const fs::path& file, std::span<const std::byte> content) {
  int opened = -1;
  AtomicFile atomic(file, make_temporary(file, "create", [&opened](const char* name) {
                      opened = ::open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
                      return opened;
                    }));
  Descriptor descriptor(file, opened);
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(file, "write", errno);
    content = content.subspan(static_cast<size_t>(written));
  }
  descriptor.close();
  atomic.commit();
}

void write_file_atomically(const fs::path& file, std::string_view content) {
  write_file_atomically(file, std::as_bytes(std::span(content.data(), content.size())));
}

AtomicFile::AtomicFile(const fs::path& target) : AtomicFile(target, temporary_name(target)) {}

AtomicFile::AtomicFile(fs::path target, fs::path temporary)
    : target_(std::move(target)), temporary_(std::move(temporary)) {
  OL_ASSERT(folder_of(target_) == folder_of(temporary_),
            "a rename is atomic only inside one folder: " + temporary_.string());
}

AtomicFile::~AtomicFile() {
  std::error_code ignored;
  if (!committed_) fs::remove(temporary_, ignored);
}

void AtomicFile::commit() {
  sync_file(temporary_);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(target_, "rename to", errno);
  committed_ = true;
  sync_folder(folder_of(target_));
}

std::optional<Temporary> temporary_named(std::string_view name) {
  if (!name.starts_with(kTemporary)) return std::nullopt;
  name.remove_prefix(kTemporary.size());
  pid_t process = 0;
  for (int numbers = 0; numbers < 2; ++numbers) {  // which of the process's files, and the process
    const size_t dash = name.rfind('-');
    if (dash == name.npos || dash + 1 == name.size()) return std::nullopt;
    if (name.find_first_not_of("0123456789", dash + 1) != name.npos) return std::nullopt;
    process = static_cast<pid_t>(std::atoll(std::string(name.substr(dash + 1)).c_str()));
    name = name.substr(0, dash);
  }
  return Temporary{std::string(name), process};
}

void sync_file(const fs::path& file) {
  Descriptor descriptor(file, O_RDWR, "open to sync");
  descriptor.sync();
  descriptor.close();
}

void sync_folder(const fs::path& folder) {
  Descriptor descriptor(folder, O_RDONLY | O_DIRECTORY, "open to sync");
  descriptor.sync();
}

void replace_symlink(const fs::path& link, const fs::path& target) {
  AtomicFile atomic(link, make_temporary(link, "link", [&target](const char* name) {
                      return ::symlink(target.c_str(), name);
                    }));
  // Not commit(): syncing through the link would sync the target.
  if (::rename(atomic.temporary().c_str(), link.c_str()) != 0) fail(link, "rename to", errno);
  sync_folder(folder_of(link));
}

std::string read_file(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) throw BadInput(file.string() + ": no such file");
  Descriptor descriptor(file, O_RDONLY, "open");
  std::string content;
  std::string piece(1 << 16, '\0');
  for (;;) {
    const ssize_t count = ::read(descriptor.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(file, "read", errno);
    if (count == 0) return content;
    content.append(piece, 0, static_cast<size_t>(count));
  }
}

}  // namespace outerloop
