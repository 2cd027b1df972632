#include "outerloop/io/hdf5_version.h"

#include <fmt/format.h>
#include <hdf5.h>

#include "outerloop/base/error.h"

namespace outerloop::io {

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  hbool_t threads = false;
  if (H5get_libversion(&major, &minor, &release) < 0 || H5is_library_threadsafe(&threads) < 0) {
    throw SystemFailure("the HDF5 library does not tell its version");
  }
  return fmt::format("HDF5 {}.{}.{}, {}", major, minor, release,
                     threads ? "thread-safe" : "for one thread at a time");
}

}  // namespace outerloop::io
