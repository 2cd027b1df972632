#include "train/training_state.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

template <class Map>
auto value_of(const Map& map, const char* name) {
  const auto found = map.find(name);
  if (found == map.end()) {
    throw BadInput(fmt::format("the checkpoint lacks '{}': no training wrote it", name));
  }
  return found->second;
}

struct Reader {
  const checkpoint::Checkpoint& from;
  void operator()(const char* name, int64_t& value) const { value = value_of(from.integers, name); }
  void operator()(const char* name, double& value) const { value = value_of(from.reals, name); }
  // What older checkpoints lack stays as it is.
  void added(const std::string& name, int64_t& value) const {
    if (from.integers.contains(name)) value = from.integers.at(name);
  }
  void added(const std::string& name, double& value) const {
    if (from.reals.contains(name)) value = from.reals.at(name);
  }
};

struct Writer {
  checkpoint::Checkpoint& to;
  void operator()(const char* name, int64_t& value) const { to.integers[name] = value; }
  void operator()(const char* name, double& value) const { to.reals[name] = value; }
  // Zero is what a reader takes where nothing is said.
  void added(const std::string& name, int64_t& value) const {
    if (value != 0) to.integers[name] = value;
  }
  void added(const std::string& name, double& value) const {
    if (value != 0) to.reals[name] = value;
  }
};

}  // namespace

void store_state(TrainingState state, checkpoint::Checkpoint& to) {
  state.visit(Writer{to});
}

TrainingState starting_state(const meta::Learner& learner) {
  TrainingState state;
  for (const meta::Measure& measure : learner.measures) state.measures.push_back({measure.name});
  return state;
}

TrainingState read_state(const checkpoint::Checkpoint& from, const meta::Learner& learner) {
  TrainingState state = starting_state(learner);
  state.visit(Reader{from});
  return state;
}

}  // namespace outerloop::train
