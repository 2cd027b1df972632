#pragma once
// Runs that are trained in a moment, for tests of what comes after training.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/config/read.h"
#include "outerloop/data/image_file.h"
#include "outerloop/data/image_set.h"
#include "outerloop/train/session.h"

namespace outerloop::train {

inline const std::string kTinySine = R"(
tasks: {family: sinusoid, shots: 10, queries: 10}
model: {kind: mlp, hidden: [16, 16], init: he, head_init: he}
learner: {algorithm: maml}
inner: {steps: 1, rate: 0.02}
outer: {iterations: 400, meta_batch: 8, rate: 0.005}
validation: {every: 100, tasks: 50}
test: {tasks: 60, steps: 3}
log: {every_iterations: 50}
report: {example_tasks: 2}
)";

inline const std::string kTinyImages = R"(
tasks: {family: images, dataset: tiny.h5, ways: 3, shots: 2, queries: 2}
model: {kind: conv4, filters: 8, blocks: 2, norm: batch, head_init: he}
learner: {algorithm: maml}
inner: {steps: 2, rate: 0.3}
outer: {iterations: 30, meta_batch: 4, rate: 0.01}
validation: {every: 10, tasks: 10}
test: {tasks: 20}
log: {every_iterations: 5}
report: {example_tasks: 2}
)";

// Tasks are lines over two features, one of which they do not use.
inline const std::string kTinyTable = R"(
tasks:
  family: table
  dataset: tiny.csv
  shots: 6
  queries: 6
  table: {task: line, split: part, target: height, left_out: [note]}
model: {kind: mlp, hidden: [16], init: he, head_init: he}
learner: {algorithm: maml}
inner: {steps: 3, rate: 0.1}
outer: {iterations: 300, meta_batch: 8, rate: 0.005}
validation: {every: 100, tasks: 20}
test: {tasks: 20, steps: 3}
log: {every_iterations: 50}
report: {example_tasks: 2}
)";

inline std::string tiny_table() {
  std::string text = "line,part,place,other,note,height\n";
  for (int line = 0; line < 30; ++line) {
    const char* part = line % 3 == 0 ? "val" : line % 3 == 1 ? "test" : "train";
    for (int row = 0; row < 15; ++row) {
      const double place = 10 + (7 * row + line) % 15;
      text += "line" + std::to_string(line) + "," + part + "," + std::to_string(place) + "," +
              std::to_string((5 * row * row + line) % 11) + ",x," +
              std::to_string(500 + (line % 7 - 3) * (place - 17)) + "\n";
    }
  }
  return text;
}

// 12 x 12 grey: a bright square at a place that tells the class, in a background that tells the
// image.
inline data::Image tiny_image(int image_class, int number) {
  data::Image image{.height = 12, .width = 12, .channels = 1};
  const int top = 3 * (image_class / 4);
  const int left = 3 * (image_class % 4);
  for (int y = 0; y < 12; ++y) {
    for (int x = 0; x < 12; ++x) {
      const bool inside = y >= top && y < top + 3 && x >= left && x < left + 3;
      image.pixels.push_back(
          static_cast<uint8_t>(inside ? 230 + number : (7 * x + 11 * y * number) % 60));
    }
  }
  return image;
}

// Sixteen classes of eight images, split 8 / 4 / 4.
inline data::ImageSet tiny_set() {
  data::ImageSet set{.name = "tiny", .licence = "none", .source = "made by a test"};
  set.preparation = {.height = 12, .width = 12, .channels = 1};
  set.class_begin = {0};
  for (int c = 0; c < 16; ++c) {
    set.class_names.push_back("square" + std::to_string(10 + c));
    for (int i = 0; i < 8; ++i) {
      const data::Image image = tiny_image(c, i);
      set.pixels.insert(set.pixels.end(), image.pixels.begin(), image.pixels.end());
    }
    set.class_begin.push_back(8 * (c + 1));
    // Every fourth class is for tests, the one after for validation.
    set.splits["quarter"].classes[c % 4 == 0 ? 2 : c % 4 == 1 ? 1 : 0].push_back(c);
  }
  set.default_split = "quarter";
  return set;
}

// Trains in a folder of this name, beside the data set, and returns the run folder.
inline std::filesystem::path train_tiny(const std::string& name, const std::string& config,
                                        std::vector<std::string> overrides = {}) {
  const std::filesystem::path folder = fresh_folder(name);
  data::save_image_set(tiny_set(), folder / "tiny.h5");
  write_file_atomically(folder / "tiny.csv", tiny_table());
  write_file_atomically(folder / "tiny.yaml", config);
  overrides.push_back("run_dir=" + (folder / "run").string());
  overrides.push_back("runtime.threads=1");
  train(config::read_config(folder / "tiny.yaml", overrides), {});
  return folder / "run";
}

// Writes class folders of PNG images: `each` of the classes, from number `first` on.
inline std::filesystem::path write_images(const std::filesystem::path& folder,
                                          const std::vector<int>& classes, int each,
                                          int first = 0) {
  for (const int c : classes) {
    const std::filesystem::path place = folder / ("square" + std::to_string(10 + c));
    std::filesystem::create_directories(place);
    for (int i = first; i < first + each; ++i) {
      const std::vector<std::byte> png = data::encode_png(tiny_image(c, i));
      write_file_atomically(place / (std::to_string(i) + ".png"), png);
    }
  }
  return folder;
}

}  // namespace outerloop::train
