#pragma once
// Short trainings of shipped configs, and what two of them must have in common.

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/log.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/checkpoint/tools.h"
#include "outerloop/config/read.h"
#include "outerloop/train/run_folder.h"
#include "outerloop/train/session.h"
#include "support/words.h"

namespace outerloop::train {

// The words beside a shipped config, for a run in `folder`; of two of one key the later counts.
inline config::Resolved shipped(const std::string& name, const std::filesystem::path& folder,
                                const Words& words) {
  return config::read_config(OUTERLOOP_SOURCE_DIR "/configs/" + name + ".yaml",
                             settled(words + Words{"run_dir=" + folder.string()}));
}

// What a training tells at this level and above, a line each.
inline std::string told(const config::Resolved& resolved, LogLevel level) {
  std::string text;
  Log log;
  log.add(level, [&text](LogLevel, std::string_view line) { text.append(line).append("\n"); });
  TrainOptions options;
  options.log = &log;
  train(resolved, options);
  return text;
}

// Beside a sinusoid's config, and beside one of images with a file of data::small_set().
inline Words tiny_sinusoid() {
  return {"model.hidden=[6,6]", "tasks.shots=3", "tasks.queries=4", "outer.meta_batch=5"};
}
inline Words small_images(const std::filesystem::path& file) {
  return {"tasks.dataset=" + file.string(),
          "tasks.split=half",
          "tasks.ways=3",
          "tasks.queries=1",
          "model.filters=3",
          "model.blocks=2",
          "outer.meta_batch=3",
          "test.tasks=0",
          "validation.every=0"};
}

inline std::filesystem::path newest_checkpoint(const std::filesystem::path& run) {
  const auto files = checkpoint::Store::open_read(run / "ckpt").list();
  if (files.empty()) throw std::runtime_error("no checkpoint in " + run.string());
  return files.back().file;
}

// Equal bytes; else the first difference in words.
inline testing::AssertionResult same_checkpoints(const std::filesystem::path& a,
                                                 const std::filesystem::path& b) {
  if (read_file(a) == read_file(b)) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << a << " and " << b << ": "
         << checkpoint::to_text(
                checkpoint::diff(checkpoint::read_checkpoint(a), checkpoint::read_checkpoint(b)));
}

inline std::vector<nlohmann::json> metrics_of(const std::filesystem::path& run) {
  std::istringstream lines(read_file(RunFolder{run}.metrics()));
  std::vector<nlohmann::json> result;
  for (std::string line; std::getline(lines, line);) result.push_back(nlohmann::json::parse(line));
  return result;
}

// The metrics without times and speeds.
inline std::string lasting_metrics(const std::filesystem::path& run) {
  std::string text;
  for (nlohmann::json line : metrics_of(run)) {
    line.erase("wall_s");
    line.erase("tasks_per_s");
    text += line.dump() + "\n";
  }
  return text;
}

inline nlohmann::json summary_of(const std::filesystem::path& run) {
  return nlohmann::json::parse(read_file(RunFolder{run}.summary()));
}

// Trains until `iteration` and stops there.
inline TrainResult train_until(const config::Resolved& resolved, int64_t iteration,
                               TrainOptions options = {}) {
  int64_t done = -1;
  options.on_iteration = [&done](const Progress::Sample& sample) { done = sample.done; };
  options.stop_requested = [&done, iteration] {
    return done >= iteration ? std::string("the test") : std::string();
  };
  return train(resolved, options);
}

}  // namespace outerloop::train
