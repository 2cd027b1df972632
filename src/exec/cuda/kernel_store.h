#pragma once
// Compiled kernels on disk, one file each. Files appear whole or not at all; a damaged one counts
// as missing, and a folder that cannot be written keeps nothing.

#include <filesystem>
#include <optional>
#include <string>

namespace outerloop::exec::cuda {

// $OUTERLOOP_CACHE, else outerloop/kernels in $XDG_CACHE_HOME or ~/.cache.
std::filesystem::path kernel_folder();

class KernelStore {
 public:
  // `compiler` names all that the code depends on beside the kernel's own text.
  KernelStore(std::filesystem::path folder, std::string compiler);

  std::optional<std::string> find(const std::string& kernel) const;
  void keep(const std::string& kernel, const std::string& code) const;

 private:
  std::filesystem::path file(const std::string& kernel) const;

  std::filesystem::path folder_;
  std::string compiler_;
};

}  // namespace outerloop::exec::cuda
