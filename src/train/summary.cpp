#include "train/summary.h"

#include <fstream>

#include "outerloop/base/atomic_file.h"
#include "outerloop/io/json_text.h"

namespace outerloop::train {

void write_summary(const RunFolder& folder, const nlohmann::ordered_json& summary) {
  write_file_atomically(folder.summary(), io::json_text(summary, 2) + "\n");
}

bool has_summary(const RunFolder& folder, const std::string& config_hash, int64_t iterations) {
  std::ifstream in(folder.summary());
  const nlohmann::json json = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  const auto holds = [&json](const char* key, const nlohmann::json& value) {
    return json.contains(key) && json[key] == value;
  };
  return json.is_object() && holds("config_hash", config_hash) && holds("iterations", iterations) &&
         json.contains("checkpoint") && json.contains("wall_s") && json.contains("tasks_per_s");
}

}  // namespace outerloop::train
