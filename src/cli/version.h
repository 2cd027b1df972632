#pragma once

#include <string>

namespace outerloop::cli {

// Version of the program, its compiler and the libraries that it was built with.
std::string version_text();

}  // namespace outerloop::cli
