#include "train/same_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"
#include "outerloop/config/print.h"
#include "outerloop/config/read.h"
#include "outerloop/optim/outer.h"

namespace outerloop::train {
namespace {

constexpr size_t kMostKeysShown = 6;

std::string listed(const std::vector<config::KeyDifference>& keys) {
  std::string text;
  for (size_t i = 0; i < std::min(keys.size(), kMostKeysShown); ++i) {
    text += fmt::format("{}{} was {} and is now {}", i == 0 ? "" : ", ", keys[i].key, keys[i].first,
                        keys[i].second);
  }
  if (keys.size() > kMostKeysShown) {
    text += fmt::format(" and {} more keys", keys.size() - kMostKeysShown);
  }
  return text;
}

// What else the user can do: `source` is the folder of a run or a checkpoint file.
std::string other_way(const std::filesystem::path& source) {
  return std::filesystem::is_regular_file(source) ? "resume another checkpoint"
                                                  : "choose another run_dir";
}

std::string way_back(const std::filesystem::path& source) {
  if (std::filesystem::is_regular_file(source)) return "set them as they were";
  return fmt::format("go back to {}", (source / "config.yaml").string());
}

void check_config(const checkpoint::Checkpoint& found, const std::filesystem::path& source,
                  const config::Config& config) {
  if (found.config_hash == config::config_hash(config)) return;
  std::vector<config::KeyDifference> keys;
  bool length_matters = optim::rate_needs_the_end(config.outer);
  try {
    const config::Config stored = config::read_config_text(found.config, "checkpoint").config;
    keys = config::differences(stored, config);
    length_matters = length_matters || optim::rate_needs_the_end(stored.outer);
  } catch (const BadInput&) {
    // A config of another version, with keys that this one does not know.
  }
  if (keys.empty()) {
    throw BadInput(
        fmt::format("{} was trained by another version of the program, whose config is not "
                    "understood; {}",
                    source.string(), other_way(source)));
  }
  // The fingerprint tells whether the data are the same, wherever they lie, and the size of the
  // test changes nothing before it.
  std::erase_if(keys, [length_matters](const config::KeyDifference& one) {
    return one.key == "tasks.dataset" || one.key == "test.tasks" ||
           (one.key == "outer.iterations" && !length_matters);
  });
  if (keys.empty()) return;
  const bool length_alone = keys.size() == 1 && keys.front().key == "outer.iterations";
  throw BadInput(fmt::format("{} holds a run of another config: {}{}; {}, or {}", source.string(),
                             listed(keys),
                             length_alone ? fmt::format(", and outer.schedule={} depends on it",
                                                        config::word(config.outer.schedule))
                                          : "",
                             other_way(source), way_back(source)));
}

}  // namespace

void check_same_run(const checkpoint::Checkpoint& found, const std::filesystem::path& source,
                    const config::Config& config, const std::string& dataset_fingerprint) {
  check_config(found, source, config);
  if (found.dataset_fingerprint != dataset_fingerprint) {
    throw BadInput(fmt::format(
        "the data set {} has changed since {} was started: its fingerprint was {} and is now {}; "
        "put the earlier file back or {}",
        config.tasks.dataset, source.string(), found.dataset_fingerprint, dataset_fingerprint,
        other_way(source)));
  }
}

}  // namespace outerloop::train
