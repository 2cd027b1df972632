#pragma once
// The hash of a data set's content.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "outerloop/base/hash.h"

namespace outerloop::data {

// Unambiguous bytes of all content: every number and text is preceded by its length or has a fixed
// width.
class Content {
 public:
  void number(int64_t value) { text_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void real(double value) { text_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(const std::string& value) {
    number(static_cast<int64_t>(value.size()));
    text_ += value;
  }
  void texts(const std::vector<std::string>& values) {
    number(static_cast<int64_t>(values.size()));
    for (const std::string& value : values) text(value);
  }
  template <class T>
  void numbers(const std::vector<T>& values) {
    number(static_cast<int64_t>(values.size()));
    for (const T value : values) number(value);
  }
  // Large arrays enter by their hash.
  template <class T>
  void array(const std::vector<T>& values) {
    text(to_hex(xxh3_128(std::as_bytes(std::span(values)))));
  }
  std::string hash() const { return to_hex(xxh3_128(std::as_bytes(std::span<const char>(text_)))); }

 private:
  std::string text_;
};

}  // namespace outerloop::data
