// Where finished code lives. Many kernels share a block, so that a program's few hundred kernels
// touch few pages. A block is mapped twice, once writable and once executable: no page is ever
// both, and adding a kernel does not disturb threads that run the others.

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "exec/cpu/jit.h"
#include "fmt/format.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

constexpr size_t kBlockBytes = 256 << 10;
constexpr size_t kKernelAlignment = 64;

size_t whole_units(size_t value, size_t unit) {
  return (value + unit - 1) / unit * unit;
}

uint8_t* map(size_t bytes, int protection, int flags, int file) {
  void* memory = mmap(nullptr, bytes, protection, flags, file, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<uint8_t*>(memory);
}

class CodeBlock {
 public:
  explicit CodeBlock(size_t bytes) : capacity_(bytes), process_(getpid()) {
    const int file = memfd_create("outerloop-code", MFD_CLOEXEC);
    if (file < 0) return;
    if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
      writable_ = map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file);
      executable_ = map(bytes, PROT_READ | PROT_EXEC, MAP_SHARED, file);
    }
    close(file);
  }
  ~CodeBlock() {
    if (writable_ != nullptr) munmap(writable_, capacity_);
    if (executable_ != nullptr) munmap(executable_, capacity_);
  }
  CodeBlock(const CodeBlock&) = delete;
  CodeBlock& operator=(const CodeBlock&) = delete;

  bool usable() const { return writable_ != nullptr && executable_ != nullptr; }
  // A forked child shares the pages with its parent, so it must not write to them.
  bool has_room(size_t bytes) const { return used_ + bytes <= capacity_ && process_ == getpid(); }
  const uint8_t* append(const uint8_t* code, size_t bytes) {
    std::memcpy(writable_ + used_, code, bytes);
    const uint8_t* entry = executable_ + used_;
    used_ += whole_units(bytes, kKernelAlignment);
    return entry;
  }

 private:
  size_t capacity_;
  pid_t process_;
  size_t used_ = 0;
  uint8_t* writable_ = nullptr;
  uint8_t* executable_ = nullptr;
};

// For systems that refuse executable shared memory: pages of its own for each kernel.
InstalledCode install_alone(const uint8_t* code, size_t bytes) {
  uint8_t* memory = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (memory != nullptr) {
    std::memcpy(memory, code, bytes);
    if (mprotect(memory, bytes, PROT_READ | PROT_EXEC) == 0) {
      return {memory, std::shared_ptr<const void>(
                          memory, [bytes](const void* p) { munmap(const_cast<void*>(p), bytes); })};
    }
    munmap(memory, bytes);
  }
  throw SystemFailure(fmt::format(
      "no executable memory for a kernel of {} bytes ({}): set OUTERLOOP_ISA=scalar to run "
      "without generated code",
      bytes, std::strerror(errno)));
}

}  // namespace

InstalledCode install_code(const uint8_t* code, size_t bytes) {
  // The block being filled is the one piece of state that kernels of a process share.
  static std::mutex mutex;
  static std::shared_ptr<CodeBlock> block;
  const std::lock_guard lock(mutex);
  if (block == nullptr || !block->has_room(bytes)) {
    block = std::make_shared<CodeBlock>(std::max(kBlockBytes, whole_units(bytes, 4096)));
  }
  if (!block->usable()) return install_alone(code, bytes);
  return {block->append(code, bytes), block};
}

}  // namespace outerloop::exec
