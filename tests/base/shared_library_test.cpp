#include "outerloop/base/shared_library.h"

#include <gtest/gtest.h>

#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "support/message_of.h"

namespace outerloop {
namespace {

TEST(SharedLibrary, OpensTheFirstNameThatItCan) {
  const SharedLibrary library({"/no/such.so", "libc.so.6"});
  ASSERT_TRUE(library.is_open());
  EXPECT_TRUE(library.was_found());
  EXPECT_EQ(library.name(), "libc.so.6");
  EXPECT_NE(library.find("printf"), nullptr);
}

TEST(SharedLibrary, ThatIsNotThereIsCalledByItsFirstName) {
  const SharedLibrary library({"/no/such.so", "/nor/this.so"});
  EXPECT_FALSE(library.is_open());
  EXPECT_FALSE(library.was_found());
  EXPECT_CONTAINS(library.why_not(), "/no/such.so: ");
}

TEST(SharedLibrary, ThatIsThereAndDoesNotOpenSaysWhy) {
  const TemporaryFolder folder;
  const std::string broken = folder / "broken.so";
  write_file_atomically(broken, "no library\n");
  const SharedLibrary library({"/no/such.so", broken, "/nor/this.so"});
  EXPECT_FALSE(library.is_open());
  EXPECT_TRUE(library.was_found());
  EXPECT_CONTAINS(library.why_not(), broken + ": ");
}

}  // namespace
}  // namespace outerloop
