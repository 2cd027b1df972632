#pragma once
// What this program was built from.

#include <string_view>

namespace outerloop::train {

// "0.1.0"
std::string_view build_version();
// Of `git describe --always --dirty` at build time; empty when it was not built in a git checkout.
std::string_view build_commit();

}  // namespace outerloop::train
