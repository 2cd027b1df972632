#pragma once
// The kernels of all programs that are compiled with one cache.

#include <mutex>
#include <string>
#include <unordered_map>

#include "exec/cpu/spec_key.h"
#include "outerloop/exec/executable.h"

namespace outerloop::exec {

class KernelCache::Impl {
 public:
  // `make` is one of the make_* functions that turn a spec into a kernel.
  template <class Spec>
  Kernel get(Kernel (*make)(const Spec&, Isa), const Spec& spec, Isa isa) {
    std::string key = key_of(spec);
    key.append(reinterpret_cast<const char*>(&make), sizeof(make));
    key.push_back(static_cast<char>(isa));
    const std::scoped_lock lock(mutex_);
    InUse& known = kernels_[std::move(key)];
    // An owner of code alone points to no state: it may be null and own something.
    std::shared_ptr<const void> owner = known.owner.lock();
    if (owner.use_count() > 0) return {known.function, std::move(owner)};
    Kernel kernel = make(spec, isa);
    known = {kernel.function(), kernel.owner()};
    ++made_;
    return kernel;
  }

  size_t made() const {
    const std::scoped_lock lock(mutex_);
    return made_;
  }

 private:
  struct InUse {
    Kernel::Function function = nullptr;
    std::weak_ptr<const void> owner;
  };

  mutable std::mutex mutex_;
  std::unordered_map<std::string, InUse> kernels_;
  size_t made_ = 0;
};

}  // namespace outerloop::exec
