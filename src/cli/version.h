#pragma once

#include <string>

namespace outerloop::cli {

// Version of the program, the commit it was built from, its compiler, its file format, and the
// kernels that run here.
std::string version_text();

}  // namespace outerloop::cli
