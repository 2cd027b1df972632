#include "outerloop/base/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

// A library that is there and lacks another has the other's name in these words.
bool has_no_file(const std::string& name, const std::string& error) {
  return error == name + ": cannot open shared object file: No such file or directory";
}

}  // namespace

SharedLibrary::SharedLibrary(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle_ != nullptr) {
      name_ = name;
      was_found_ = true;
      return;
    }
    const std::string error = dlerror();
    if (was_found_) continue;
    was_found_ = !has_no_file(name, error);
    if (was_found_ || why_not_.empty()) why_not_ = error;
  }
}

void* SharedLibrary::find(const char* name) const {
  OL_ASSERT(is_open(), "a library that is not there has no " + std::string(name));
  return dlsym(handle_, name);
}

void* SharedLibrary::symbol(const char* name, const std::string& advice) const {
  void* found = find(name);
  if (found == nullptr) throw BadInput(fmt::format("{} has no {}: {}", name_, name, advice));
  return found;
}

}  // namespace outerloop
