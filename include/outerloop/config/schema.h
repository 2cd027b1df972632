#pragma once
// Every key of the config, each described by one record.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "outerloop/config/config.h"

namespace outerloop::config {

// Access to one member of a Config.
template <class T>
struct Member {
  T& (*write)(Config&);
  const T& (*read)(const Config&);
};

// A member of an enumeration type, by the place of its word in the list.
struct ChoiceMember {
  std::string_view words;
  void (*write)(Config&, int);
  int (*read)(const Config&);
};

using Field =
    std::variant<Member<bool>, Member<std::int64_t>, Member<double>, Member<std::string>,
                 Member<std::optional<double>>, Member<Interval>, Member<std::vector<std::int64_t>>,
                 Member<std::vector<std::string>>, ChoiceMember>;

// Values that a number, or each number of a list, may take.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;   // low itself is not allowed
  bool high_open = false;  // high itself is not allowed
};

struct Key {
  std::string_view path;  // "inner.rate"
  Field field;
  Bounds bounds;
  std::string_view words;       // of a text: the only ones allowed; empty = any
  std::string_view unit;        // empty = none
  std::string_view help;        // one line
  bool is_path = false;         // a text that names a file or folder: ~/ is $HOME
  bool changes_results = true;  // enters the config hash
  // The key is newer than checkpoints that runs go on from: at its default it does not enter.
  bool newer = false;
  // It changed results in versions whose checkpoints runs go on from: its default enters.
  bool once_changed_results = false;
};

// In the order of config.h; the keys of a section are adjacent.
std::span<const Key> schema();

// The key of this path, or null.
const Key* find_key(std::string_view path);

// Whether keys begin with `path` and a dot.
bool is_section(std::string_view path);

}  // namespace outerloop::config
