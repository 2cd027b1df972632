#include "exec/cuda/kernel_pack.h"

#include <gtest/gtest.h>

#include <fstream>

#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {
namespace {

TEST(KernelPack, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const PtxByName all{{"a", ".version 8.7\nret;\n"}, {"b", ""}, {"c", std::string(100000, 'x')}};
  for (const PtxByName& kernels : {PtxByName{}, all}) {
    write_kernel_pack(folder.path() / "p", pack_compiler("13.0", "prelude"), kernels);
    const KernelPack pack(folder.path() / "p");
    EXPECT_EQ(pack_compiler("13.0", "prelude"), pack.compiler());
    EXPECT_EQ(kernels.size(), pack.size());
    EXPECT_EQ(kernels, pack.kernels());
  }
  EXPECT_NE(pack_compiler("13.0", "prelude"), pack_compiler("13.0", "another"));
}

TEST(KernelPack, RefusesDamage) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "kernels.pack";
  write_kernel_pack(file, "compiler", {{"a", "text"}});
  const std::string whole = read_file(file);
  for (size_t place = 0; place <= whole.size(); ++place) {
    std::string flipped = whole;
    if (place < whole.size()) flipped[place] = static_cast<char>(flipped[place] ^ 1);
    for (const std::string& damaged : {whole.substr(0, place), flipped, whole + "x"}) {
      if (damaged == whole) continue;
      std::ofstream(file, std::ios::binary) << damaged;
      try {
        const KernelPack pack(file);
        ADD_FAILURE() << "byte " << place << " of " << damaged.size();
      } catch (const CorruptFile& error) {
        EXPECT_EQ(0u, std::string(error.what()).find(file.string() + ": damaged, "));
      }
    }
  }
}

}  // namespace
}  // namespace outerloop::exec::cuda
