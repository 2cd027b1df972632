#pragma once
// A family of each kind and each way to draw its tasks.

#include <memory>
#include <string>
#include <vector>

#include "data/image_sets.h"
#include "outerloop/data/function_families.h"
#include "outerloop/data/image_family.h"
#include "outerloop/data/table_family.h"

namespace outerloop::data {

// Seven tasks, 4 / 2 / 1 of them for the splits; three inputs. Task 2 has few rows of class 1.
inline TableSet small_table(bool has_classes) {
  TableSet set;
  set.name = "small";
  for (const char* name : {"a", "b", "c"}) set.preparation.features.push_back({.name = name});
  if (has_classes) set.preparation.classes = {"x", "y", "z"};
  set.begin = {0};
  for (int task = 0; task < 7; ++task) {
    set.task_names.push_back("task" + std::to_string(task));
    set.splits.at(task < 4 ? 0 : task < 6 ? 1 : 2).push_back(task);
    for (int64_t group = 0; group < set.groups(); ++group) {
      const int64_t rows = task == 2 && group == 1 ? 2 : 5 + (3 * task + 2 * group) % 4;
      set.begin.push_back(set.begin.back() + rows);
    }
  }
  for (int64_t row = 0; row < set.rows(); ++row) {
    for (int input = 0; input < 3; ++input) {
      set.x.push_back(static_cast<float>(row) + 0.1F * static_cast<float>(input));
    }
    if (!has_classes) set.y.push_back(-static_cast<float>(row));
  }
  return set;
}

struct NamedFamily {
  std::string name;
  std::shared_ptr<const TaskFamily> family;
};

inline std::vector<NamedFamily> every_family() {
  std::vector<NamedFamily> all;
  const auto add = [&](const std::string& name, std::unique_ptr<TaskFamily> family) {
    all.push_back({name, std::move(family)});
  };
  add("sinusoid", make_sinusoid({.shots = 5, .queries = 10}));
  add("sinusoid of many points",
      make_sinusoid({.shots = 70, .queries = 33, .minibatch_steps = 3, .minibatch_rows = 50}));
  add("harmonic", make_harmonic({.shots = 10, .queries = 40}));
  add("noisy harmonic", make_harmonic({.shots = 20, .queries = 7}, {.noise = 0.3F}));

  const auto images = std::make_shared<const ImageSet>(small_set());
  const EpisodeShape ways{.ways = 5, .shots = 2, .queries = 3};
  for (const Rotation rotation : {Rotation::none, Rotation::per_class, Rotation::as_classes}) {
    for (const bool within_group : {false, true}) {
      add("images, rotation " + std::to_string(static_cast<int>(rotation)) +
              (within_group ? ", within a group" : ""),
          make_image_family(
              images, ways,
              {.rotation = {rotation, rotation, rotation}, .within_group = within_group}));
    }
  }
  add("minibatches of images",
      make_image_family(
          images,
          {.ways = 3, .shots = 4, .queries = 1, .minibatch_steps = 5, .minibatch_rows = 7}));
  add("table of numbers", make_table_family(std::make_shared<const TableSet>(small_table(false)),
                                            {.shots = 3, .queries = 2}));
  const auto classes = std::make_shared<const TableSet>(small_table(true));
  add("table of classes", make_table_family(classes, {.ways = 3, .shots = 2, .queries = 3}));
  add("classes drawn from a table", make_table_family(classes, {.ways = 2, .shots = 1}));
  return all;
}

}  // namespace outerloop::data
