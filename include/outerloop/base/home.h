#pragma once
// Paths as people write them to a shell.

#include <string>
#include <string_view>

namespace outerloop {

// The path with $HOME for a `~` that is all of it or comes before a slash: shells leave it in words
// such as run_dir=~/a. As it is where $HOME is not set.
std::string with_home(std::string_view path);

}  // namespace outerloop
