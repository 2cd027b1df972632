#pragma once
// Kernels as PTX in one file, for machines without a compiler: tools/kernels makes it, a bundle has
// it in share/outerloop.
//
// A line `outerloop-kernels 1 HASH`, HASH that of what follows; a line `COMPILER KERNELS BYTES`;
// and BYTES bytes, compressed by zlib, of a line `NAME LENGTH` and the PTX for each kernel.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace outerloop::exec::cuda {

// That PTX runs on GPUs of this compute capability and later ones.
inline constexpr int kPackMajor = 8;
inline constexpr const char* kPackArchitecture = "compute_80";

// A part of file names, as of the kernels that a KernelStore has.
std::string hash_of_prelude(std::string_view prelude);
std::string pack_compiler(const std::string& nvrtc_version, std::string_view prelude);

// Where a bundle of this program has it; need not exist.
std::filesystem::path kernel_pack_file();

using PtxByName = std::map<std::string, std::string, std::less<>>;

void write_kernel_pack(const std::filesystem::path& file, const std::string& compiler,
                       const PtxByName& kernels);

class KernelPack {
 public:
  // Throws BadInput where the file is missing, CorruptFile where it is damaged.
  explicit KernelPack(std::filesystem::path file);

  const std::filesystem::path& file() const { return file_; }
  const std::string& compiler() const { return compiler_; }  // of pack_compiler()
  size_t size() const { return count_; }
  // All of them, which takes a moment.
  PtxByName kernels() const;

 private:
  [[noreturn]] void refuse(const std::string& why) const;

  std::filesystem::path file_;
  std::string content_;
  std::string compiler_;
  size_t count_ = 0;
  size_t bytes_ = 0;       // of all kernels
  size_t compressed_ = 0;  // where they begin
};

}  // namespace outerloop::exec::cuda
