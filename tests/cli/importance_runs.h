#pragma once
// Small runs, and what `outerloop importance` finds in them.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/call.h"
#include "cli/stored_runs.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"

namespace outerloop::cli {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

inline const fs::path& prototypes_run() {
  static const fs::path run = train::train_tiny("importance_prototypes", R"(
tasks: {family: images, dataset: tiny.h5, ways: 3, shots: 2, queries: 2}
model: {kind: conv4, filters: 8, blocks: 2, norm: batch}
learner: {algorithm: protonet}
outer: {iterations: 2, meta_batch: 4}
validation: {every: 2, tasks: 2}
test: {tasks: 4}
)");
  return run;
}

inline Result importance(const fs::path& run, const fs::path& out, const Words& more = {}) {
  Words words{"importance", run.string(), "--out", out.string(), "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return call(words);
}

inline json result_of(const fs::path& folder) {
  return json::parse(read_file(folder / "importance.json"));
}

// step -1: any
inline json group_of(const json& result, const std::string& estimand, const std::string& group,
                     int64_t step = -1) {
  for (const json& finding : result["metrics"][0]["estimands"]) {
    if (finding["estimand"] != estimand || (step >= 0 && finding["step"] != step)) continue;
    for (const json& one : finding["groups"]) {
      if (one["group"] == group) return one;
    }
  }
  return {};
}

}  // namespace outerloop::cli
