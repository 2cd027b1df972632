#pragma once
// Zero-initialised, page-friendly memory that kernels work in.

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "outerloop/base/error.h"

namespace outerloop::exec {

class Arena {
 public:
  Arena() = default;
  explicit Arena(size_t bytes) : bytes_((bytes + kAlignment - 1) / kAlignment * kAlignment) {
    if (bytes_ == 0) return;
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, bytes_)));
    if (!data_)
      throw SystemFailure("out of memory: an arena of " + std::to_string(bytes_) +
                          " bytes; lower tasks.queries, model.filters or inner.segment");
    std::memset(data_.get(), 0, bytes_);
  }

  std::byte* data() const { return data_.get(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  static constexpr size_t kAlignment = 64;
  size_t bytes_ = 0;
  std::unique_ptr<std::byte, Free> data_;
};

}  // namespace outerloop::exec
