#pragma once
// Showing a config: as YAML, with origins, as a hash, as help.

#include <string>
#include <string_view>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/config/read.h"

namespace outerloop::config {

// Full YAML text of a config. Reads back to the same config.
std::string to_yaml(const Config& config);

// The same with the origin of each value in a comment.
std::string describe_origins(const Resolved& resolved);

// 32 hexadecimal digits (XXH3-128) over the values that can change results: not run_dir, threads,
// logging, checkpointing or reports.
std::string config_hash(const Config& config);

// A key whose values differ between two configs, as YAML text.
struct KeyDifference {
  std::string_view key;
  std::string first, second;
};
// Of the keys that enter the hash, in the order of the schema.
std::vector<KeyDifference> differences(const Config& first, const Config& second);

// The config with every key that cannot change results at its default: what a checkpoint keeps.
Config without_incidentals(const Config& config);

// One line per key, and one on where the rest is said.
std::string help_all();

// Type, unit, default, allowed values and meaning of one key, or of every key of a section.
// BadInput with the nearest key when there is none of this name.
std::string help(std::string_view key_or_section);

}  // namespace outerloop::config
