#include "outerloop/io/seal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"

namespace outerloop::io {
namespace {

namespace fs = std::filesystem;
using SealText = std::array<char, kSealBytes>;

constexpr std::string_view kSealMagic = "outerloop-seal 1\n";

// The whole block is a function of the content, so a flipped bit anywhere in it shows as well.
SealText make_seal(std::span<const std::byte> content) {
  SealText seal{};
  const std::string text = fmt::format("{}bytes {}\nxxh3-128 {}\n", kSealMagic, content.size(),
                                       to_hex(xxh3_128(content)));
  std::copy(text.begin(), text.end(), seal.begin());
  return seal;
}

// A file mapped for reading.
class Mapping {
 public:
  explicit Mapping(const fs::path& file) {
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) throw BadInput(file.string() + ": no such file");
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw_errno(file.string(), "open");
    struct stat status;
    if (::fstat(descriptor, &status) == 0 && status.st_size > 0) {
      size_ = static_cast<size_t>(status.st_size);
      data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    }
    ::close(descriptor);
    if (data_ == MAP_FAILED) throw_errno(file.string(), "map");
  }
  ~Mapping() {
    if (size_ > 0) ::munmap(data_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }
  std::string_view text() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

// The length that the seal claims, or 0.
size_t claimed_bytes(std::string_view text) {
  constexpr std::string_view kKey = "bytes ";
  if (text.size() < kSealBytes || !text.substr(kSealMagic.size()).starts_with(kKey)) return 0;
  size_t bytes = 0;
  for (char c : text.substr(kSealMagic.size() + kKey.size(), 15)) {
    if (c < '0' || c > '9') break;
    bytes = bytes * 10 + static_cast<size_t>(c - '0');
  }
  return bytes;
}

}  // namespace

void seal_file(const fs::path& file) {
  SealText seal;
  {
    const Mapping mapping(file);
    OL_ASSERT(mapping.bytes().size() > kSealBytes, file.string() + " has no room for a seal");
    seal = make_seal(mapping.bytes().subspan(kSealBytes));
  }
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) throw_errno(file.string(), "open");
  const bool written = ::pwrite(descriptor, seal.data(), seal.size(), 0) == ssize_t{kSealBytes};
  if (::close(descriptor) != 0 || !written) throw_errno(file.string(), "seal");
}

bool is_sealed(const fs::path& file) {
  return Mapping(file).text().starts_with(kSealMagic);
}

std::string check_seal(const fs::path& file) {
  const Mapping mapping(file);
  const std::string_view text = mapping.text();
  if (text.size() < kSealBytes) return fmt::format("truncated: {} bytes are left", text.size());
  const size_t claimed = claimed_bytes(text), present = text.size() - kSealBytes;
  if (text.starts_with(kSealMagic) && present < claimed)
    return fmt::format("truncated: {} of {} bytes", present, claimed);
  const SealText expected = make_seal(mapping.bytes().subspan(kSealBytes));
  if (text.starts_with(std::string_view(expected.data(), expected.size()))) return {};
  if (!text.starts_with(kSealMagic)) return "no seal in front";
  return "content differs from its checksum";
}

}  // namespace outerloop::io
