#pragma once

#include <string>

namespace outerloop::io {

// Of the library that is linked, such as "HDF5 1.10.8, thread-safe".
std::string hdf5_version();

}  // namespace outerloop::io
