#include "data/gzip_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include <memory>

#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

constexpr size_t kLargest = size_t{4} << 30;
constexpr size_t kPiece = size_t{1} << 20;

struct Close {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

}  // namespace

std::string read_maybe_gzip(const std::filesystem::path& path) {
  const std::string where = path.string();
  if (std::filesystem::is_directory(path)) {
    throw BadInput(fmt::format("{}: is a folder, not a file", where));
  }
  if (!std::filesystem::is_regular_file(path)) {
    throw BadInput(fmt::format("{}: no such file", where));
  }
  const std::unique_ptr<gzFile_s, Close> file(gzopen(where.c_str(), "rb"));
  if (file == nullptr) throw SystemFailure(fmt::format("{}: cannot be opened", where));
  std::string content;
  for (;;) {
    const size_t before = content.size();
    if (before > kLargest) throw BadInput(fmt::format("{}: larger than 4 GiB", where));
    content.resize(before + kPiece);
    const int got = gzread(file.get(), content.data() + before, kPiece);
    int error = Z_OK;
    const char* reason = gzerror(file.get(), &error);
    if (got < 0 || error != Z_OK) {
      throw BadInput(fmt::format("{}: damaged: {}", where, reason));
    }
    content.resize(before + static_cast<size_t>(got));
    if (got == 0) return content;
  }
}

}  // namespace outerloop::data
