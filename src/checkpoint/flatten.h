#pragma once
// A checkpoint as two flat lists, for the tools that show and compare.

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/schema.h"
#include "outerloop/checkpoint/checkpoint.h"

namespace outerloop::checkpoint {

struct Flat {
  std::vector<std::pair<std::string, std::string>> fields;  // scalars and texts, in readable form
  io::TensorTree tensors;                                   // named TREE/NAME; share the data
};

class Flattener {
 public:
  explicit Flattener(Flat& flat) : flat_(flat) {}

  template <class Value>
  void field(const std::string& name, const Value& value) {
    flat_.fields.emplace_back(name, fmt::format("{}", value));
  }
  void document(const std::string& name, const std::string& text) { field(name, text); }
  template <class Value>
  void table(const std::string& name, const std::map<std::string, Value>& values) {
    for (const auto& [key, value] : values) field(name + "/" + key, value);
  }
  void tree(const std::string& name, const io::TensorTree& tensors) {
    for (const auto& [path, value] : tensors) flat_.tensors.push_back({name + "/" + path, value});
  }

 private:
  Flat& flat_;
};

inline Flat flatten(const Checkpoint& checkpoint) {
  Flat flat;
  Flattener flattener(flat);
  visit(flattener, checkpoint);
  return flat;
}

}  // namespace outerloop::checkpoint
