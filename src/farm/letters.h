#pragma once
// What the leader and the other ranks write to each other. All ranks run the same program, so
// numbers go as they lie in memory.

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "outerloop/base/error.h"

namespace outerloop::farm {

enum class Subject : uint8_t {
  // to the leader
  want,     // size_t each: leases that have come; wanted cells; threads that have none
  results,  // so often: size_t cell, double for each column
  stop,     // text: why
  failure,  // int code, text
  bye,      // nothing more comes
  // from the leader
  lease,  // size_t each: cells
  end,    // int code (0: no failure), Progress, text: why it failed or stopped
  alive,
};

class LetterWriter {
 public:
  explicit LetterWriter(Subject subject) { add(subject); }

  template <class T>
  void add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    add(std::span(&value, 1));
  }
  template <class T>
  void add(std::span<const T> values) {
    const auto part = std::as_bytes(values);
    bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  void add(const std::string& text) { add(std::span<const char>(text)); }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class LetterReader {
 public:
  explicit LetterReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <class T>
  T take() {
    T value;
    take(std::span(&value, 1));
    return value;
  }
  template <class T>
  void take(std::span<T> values) {
    OL_ASSERT(rest_.size() >= values.size_bytes(), "a letter is too short");
    std::memcpy(values.data(), rest_.data(), values.size_bytes());
    rest_ = rest_.subspan(values.size_bytes());
  }
  std::string take_text() {
    std::string text(reinterpret_cast<const char*>(rest_.data()), rest_.size());
    rest_ = {};
    return text;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace outerloop::farm
