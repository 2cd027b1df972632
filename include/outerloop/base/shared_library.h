#pragma once
// A shared library that is there on some machines only, opened when it is wanted.

#include <string>
#include <vector>

namespace outerloop {

// It stays in the process: libraries with threads of their own outlive their last handle.
class SharedLibrary {
 public:
  // The first of `names` that opens; none where none does.
  explicit SharedLibrary(const std::vector<std::string>& names);

  bool is_open() const { return handle_ != nullptr; }
  const std::string& name() const { return name_; }
  // Where none opened: of the first name that has a file, else of the first.
  const std::string& why_not() const { return why_not_; }
  // Whether a name had a file, be it one that does not open.
  bool was_found() const { return was_found_; }
  // Of a library that is open; nullptr where it lacks the name.
  void* find(const char* name) const;
  // The same; throws BadInput with `advice` there.
  void* symbol(const char* name, const std::string& advice) const;

 private:
  std::string name_;
  std::string why_not_;
  bool was_found_ = false;
  void* handle_ = nullptr;
};

}  // namespace outerloop
