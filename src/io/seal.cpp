#include "outerloop/io/seal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"

namespace outerloop::io {
namespace {

namespace fs = std::filesystem;
using SealText = std::array<char, kSealBytes>;

constexpr std::string_view kSealMagic = "outerloop-seal 1\n";

// The whole block is a function of the content, so a flipped bit anywhere in it shows as well.
SealText make_seal(size_t bytes, const Hash128& hash) {
  SealText seal{};
  const std::string text =
      fmt::format("{}bytes {}\nxxh3-128 {}\n", kSealMagic, bytes, to_hex(hash));
  std::copy(text.begin(), text.end(), seal.begin());
  return seal;
}

// A file that is read in pieces. (Of one mapped into memory, a page that cannot be read would end
// the process.)
class Pieces {
 public:
  explicit Pieces(const fs::path& file) : name_(file.string()) {
    std::error_code ignored;
    if (fs::is_directory(file, ignored)) throw BadInput(name_ + ": is a folder, not a file");
    if (!fs::is_regular_file(file, ignored)) throw BadInput(name_ + ": no such file");
    descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) throw_errno(name_, "open");
  }
  ~Pieces() { ::close(descriptor_); }
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;

  // The seal's place; `bytes`: of it that the file has.
  SealText read_seal(size_t& bytes) {
    SealText seal{};
    bytes = read(std::as_writable_bytes(std::span(seal)));
    return seal;
  }

  // The seal over all that follows its place.
  SealText seal_of_content() {
    std::vector<std::byte> piece(kPiece);
    size_t bytes = 0;
    at_ = kSealBytes;
    const Hash128 hash = xxh3_128_of_pieces([&] {
      const size_t got = read(piece);
      bytes += got;
      return std::span<const std::byte>(piece).first(got);
    });
    return make_seal(bytes, hash);
  }

  size_t size() const {
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) throw_errno(name_, "read");
    return static_cast<size_t>(status.st_size);
  }

 private:
  static constexpr size_t kPiece = 1 << 20;

  // The bytes that come next, fewer only at the end of the file.
  size_t read(std::span<std::byte> to) {
    size_t got = 0;
    while (got < to.size()) {
      const ssize_t now =
          ::pread(descriptor_, to.data() + got, to.size() - got, static_cast<off_t>(at_));
      if (now < 0 && errno == EINTR) continue;
      if (now < 0) throw_errno(name_, "read");
      if (now == 0) break;
      got += static_cast<size_t>(now);
      at_ += static_cast<size_t>(now);
    }
    return got;
  }

  std::string name_;
  int descriptor_ = -1;
  size_t at_ = 0;
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
  Pieces pieces(file);
  OL_ASSERT(pieces.size() > kSealBytes, file.string() + " has no room for a seal");
  const SealText seal = pieces.seal_of_content();
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) throw_errno(file.string(), "open");
  const bool written = ::pwrite(descriptor, seal.data(), seal.size(), 0) == ssize_t{kSealBytes};
  if (::close(descriptor) != 0 || !written) throw_errno(file.string(), "seal");
}

bool is_sealed(const fs::path& file) {
  size_t bytes = 0;
  const SealText seal = Pieces(file).read_seal(bytes);
  return std::string_view(seal.data(), bytes).starts_with(kSealMagic);
}

std::string check_seal(const fs::path& file) {
  Pieces pieces(file);
  size_t bytes = 0;
  const SealText seal = pieces.read_seal(bytes);
  if (bytes < kSealBytes) return fmt::format("truncated: {} bytes are left", bytes);
  const std::string_view text(seal.data(), seal.size());
  const size_t claimed = claimed_bytes(text), present = pieces.size() - kSealBytes;
  if (text.starts_with(kSealMagic) && present < claimed)
    return fmt::format("truncated: {} of {} bytes", present, claimed);
  if (seal == pieces.seal_of_content()) return {};
  if (!text.starts_with(kSealMagic)) return "no seal in front";
  return "content differs from its checksum";
}

}  // namespace outerloop::io
