#include "outerloop/io/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "outerloop/base/error.h"

namespace outerloop::io {

AppendFile::AppendFile(std::filesystem::path file, int flags)
    : path_(std::move(file)),
      descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666)) {
  if (descriptor_ < 0) throw_errno(path_.string(), "open");
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::append(std::string_view record) {
  while (!record.empty()) {
    const ssize_t written = ::write(descriptor_, record.data(), record.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno(path_.string(), "write");
    // The rest was refused: the next call is told why.
    record.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace outerloop::io
