#include "exec/cuda/kernel_pack.h"

#include <fmt/format.h>
#include <zlib.h>

#include <charconv>
#include <optional>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"
#include "outerloop/base/program_files.h"

namespace outerloop::exec::cuda {
namespace {

constexpr std::string_view kMagic = "outerloop-kernels 1 ";

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Takes a line from the front of `text`.
std::optional<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return {};
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// Takes the number behind the last space of `line`.
std::optional<size_t> take_number(std::string_view& line) {
  const size_t space = line.rfind(' ');
  if (space == std::string_view::npos) return {};
  const char* end = line.data() + line.size();
  size_t number = 0;
  const auto [stop, error] = std::from_chars(line.data() + space + 1, end, number);
  if (error != std::errc() || stop != end) return {};
  line = line.substr(0, space);
  return number;
}

}  // namespace

std::string hash_of_prelude(std::string_view prelude) {
  return to_hex(xxh3_64(bytes_of(prelude)));
}

std::string pack_compiler(const std::string& nvrtc_version, std::string_view prelude) {
  return fmt::format("{}-nvrtc{}-{}", kPackArchitecture, nvrtc_version, hash_of_prelude(prelude));
}

std::filesystem::path kernel_pack_file() {
  return (program_files().command.parent_path() / "../share/outerloop/kernels.pack")
      .lexically_normal();
}

void write_kernel_pack(const std::filesystem::path& file, const std::string& compiler,
                       const PtxByName& kernels) {
  std::string text;
  for (const auto& [name, ptx] : kernels) text += fmt::format("{} {}\n{}", name, ptx.size(), ptx);
  uLongf room = compressBound(text.size());
  std::string body = fmt::format("{} {} {}\n", compiler, kernels.size(), text.size());
  const size_t head = body.size();
  body.resize(head + room);
  const int result = compress2(reinterpret_cast<Bytef*>(body.data() + head), &room,
                               reinterpret_cast<const Bytef*>(text.data()), text.size(), 9);
  if (result != Z_OK) throw SystemFailure(fmt::format("zlib gives {}", result));
  body.resize(head + room);
  write_file_atomically(file,
                        fmt::format("{}{}\n", kMagic, to_hex(xxh3_128(bytes_of(body)))) + body);
}

KernelPack::KernelPack(std::filesystem::path file)
    : file_(std::move(file)), content_(read_file(file_)) {
  std::string_view rest = content_;
  const auto first = take_line(rest);
  if (!first || !first->starts_with(kMagic)) refuse("it is no pack of kernels");
  if (first->substr(kMagic.size()) != to_hex(xxh3_128(bytes_of(rest)))) {
    refuse("its content has another hash than its head says");
  }
  auto line = take_line(rest);
  const auto bytes = line ? take_number(*line) : std::nullopt;
  const auto count = bytes ? take_number(*line) : std::nullopt;
  if (!count) refuse("its second line is none");
  compiler_ = *line;
  count_ = *count;
  bytes_ = *bytes;
  compressed_ = content_.size() - rest.size();
}

PtxByName KernelPack::kernels() const {
  std::string text(bytes_, '\0');
  uLongf bytes = bytes_;
  const int result = uncompress(reinterpret_cast<Bytef*>(text.data()), &bytes,
                                reinterpret_cast<const Bytef*>(content_.data() + compressed_),
                                content_.size() - compressed_);
  if (result != Z_OK || bytes != bytes_) refuse("its kernels do not unpack");
  PtxByName kernels;
  std::string_view rest = text;
  while (!rest.empty()) {
    auto line = take_line(rest);
    const auto length = line ? take_number(*line) : std::nullopt;
    if (!length || *length > rest.size()) refuse("a kernel is not as long as its line says");
    kernels.emplace(*line, rest.substr(0, *length));
    rest.remove_prefix(*length);
  }
  if (kernels.size() != count_) refuse("it has another number of kernels than its head says");
  return kernels;
}

void KernelPack::refuse(const std::string& why) const {
  throw CorruptFile(
      fmt::format("{}: damaged, {}: copy the bundle again, or make it anew with tools/bundle.sh",
                  file_.string(), why));
}

}  // namespace outerloop::exec::cuda
