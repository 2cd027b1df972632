#include "exec/cuda/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {

Library::Library(std::initializer_list<std::string> names) {
  for (const std::string& name : names) {
    // Threads of these libraries outlive their last handle.
    void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr) continue;
    name_ = name;
    handle_ = std::shared_ptr<void>(handle, [](void* opened) { dlclose(opened); });
    return;
  }
}

void* Library::symbol(const char* name, const std::string& advice) const {
  void* found = dlsym(handle_.get(), name);
  if (found == nullptr) throw BadInput(fmt::format("{} has no {}: {}", name_, name, advice));
  return found;
}

}  // namespace outerloop::exec::cuda
