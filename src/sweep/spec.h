#pragma once
// A sweep's specification as it is written, with places for messages.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/sweep/plan.h"

namespace outerloop::sweep {

struct Range {
  double from = 0;
  double to = 0;
  bool logarithmic = false;
  std::optional<int64_t> points;  // of a grid
};

// The values that a key may take: a list, or a range.
struct Choice {
  std::string key;
  std::vector<std::string> values;
  std::optional<Range> range;
};

struct Spec {
  std::string name;  // of the file, for messages
  std::filesystem::path config;
  std::string config_place;
  std::vector<Override> fixed;
  std::vector<Choice> grid;
  std::vector<std::vector<Override>> list;
  int64_t random_points = 0;
  int64_t random_seed = 0;
  std::vector<Choice> random;
  std::vector<std::vector<Choice>> leave_out;
  std::optional<int64_t> seed_count;
  std::vector<std::string> seeds;
  std::map<std::string, std::string> places;  // of keys, where each is set first
};

// Throws config::ConfigErrors with all that is wrong with the file by itself.
Spec read_spec_file(const std::filesystem::path& file);

inline constexpr int64_t kMostPoints = 100'000;

// Every combination of overrides, without seeds, in the order grid, list, random; nothing is left
// out yet. At most kMostPoints, else BadInput; with seeds there may be more.
std::vector<std::vector<Override>> expand(const Spec& spec);

// Whether the choices hold for all the keys they name.
bool matches(const std::vector<Choice>& condition, const std::vector<Override>& overrides);

}  // namespace outerloop::sweep
