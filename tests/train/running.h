#pragma once
// Short runs in a folder of their own.

#include <filesystem>
#include <string>
#include <vector>

#include "data/image_sets.h"
#include "train/runs.h"

namespace outerloop::train {

inline const Words kShort{"outer.meta_batch=4", "outer.iterations=120", "validation.tasks=20",
                          "test.tasks=20",      "test.steps=2",         "log.every_iterations=30"};

inline std::vector<nlohmann::json> lines_of_kind(const std::filesystem::path& run,
                                                 const std::string& kind) {
  std::vector<nlohmann::json> lines = metrics_of(run);
  std::erase_if(lines, [&kind](const nlohmann::json& line) { return line["kind"] != kind; });
  return lines;
}

class Running : public testing::Test {
 protected:
  std::filesystem::path go(const std::string& name, const Words& words) const {
    train(shipped("sinusoid_maml", folder_ / name, kShort + words), {});
    return folder_ / name;
  }

  // Small images of twelve training classes in a file beside the run.
  std::filesystem::path go_images(const std::string& name, const Words& words) const {
    const std::filesystem::path file = folder_ / "small.h5";
    if (!std::filesystem::exists(file)) data::save_image_set(data::small_set(), file);
    const Words small{"tasks.dataset=" + file.string(),
                      "tasks.split=half",
                      "model.filters=3",
                      "model.blocks=2",
                      "tasks.ways=3",
                      "outer.schedule=constant"};
    train(shipped("omniglot_maml", folder_ / name, kShort + small + words), {});
    return folder_ / name;
  }

  TemporaryFolder folder_;
};

}  // namespace outerloop::train
