#pragma once
// A shared library that is there on some machines only.

#include <initializer_list>
#include <memory>
#include <string>

namespace outerloop::exec::cuda {

class Library {
 public:
  // The first of `names` that opens; none where none does.
  explicit Library(std::initializer_list<std::string> names);

  bool is_open() const { return handle_ != nullptr; }
  // Throws BadInput with `advice` where the library lacks it.
  void* symbol(const char* name, const std::string& advice) const;

 private:
  std::string name_;
  std::shared_ptr<void> handle_;
};

}  // namespace outerloop::exec::cuda
