#pragma once

#include <string>

namespace outerloop {

// This machine's name.
std::string host_name();

}  // namespace outerloop
