#include "outerloop/io/append_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
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
  ssize_t written;
  do written = ::write(descriptor_, record.data(), record.size());
  while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(record.size())) return;
  const char* reason = written < 0 ? std::strerror(errno) : "the disk is full";
  throw SystemFailure(fmt::format("{}: cannot write: {}", path_.string(), reason));
}

}  // namespace outerloop::io
