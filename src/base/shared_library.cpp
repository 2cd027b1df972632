#include "outerloop/base/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop {

SharedLibrary::SharedLibrary(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle_ != nullptr) {
      name_ = name;
      return;
    }
    why_not_ = dlerror();
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
