#pragma once
// Where this program lies on disk.

#include <filesystem>

namespace outerloop {

struct ProgramFiles {
  std::filesystem::path code;     // what the processor runs
  std::filesystem::path command;  // what to start to run it again; shared files lie beside it
};

// Both are /proc/self/exe, but in a bundle (tools/bundle.sh): there bin/outerloop is a script that
// has the bundle's own loader run libexec/outerloop. Throws std::filesystem::filesystem_error
// without /proc.
ProgramFiles program_files();

}  // namespace outerloop
