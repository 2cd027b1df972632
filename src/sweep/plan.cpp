#include "outerloop/sweep/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/program_files.h"
#include "outerloop/config/print.h"
#include "outerloop/config/read.h"
#include "outerloop/config/schema.h"
#include "sweep/spec.h"

namespace outerloop::sweep {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::vector<std::string> words(const std::vector<Override>& overrides) {
  std::vector<std::string> result;
  for (const auto& [key, value] : overrides) result.push_back(key + "=" + value);
  return result;
}

// Whether the file has this name for the program on every host: it comes with the program, lies
// where OUTERLOOP_DATA says by a whole path, or the name is a whole path.
bool is_known_by_name(const std::string& name, const fs::path& file) {
  const char* data = std::getenv("OUTERLOOP_DATA");
  std::error_code no_data;
  if (data != nullptr && fs::path(data).is_absolute() &&
      fs::equivalent(fs::path(data) / name, file, no_data)) {
    return true;
  }
  const fs::path beside = program_files().command.parent_path();
  return std::ranges::any_of(std::array{"../../configs", "../share/outerloop/configs"},
                             [&](const char* shipped) {
                               std::error_code none;
                               return fs::equivalent(beside / shipped / name, file, none);
                             });
}

// Trainings look names up from the sweep's folder, in any working directory, and are to find what
// the base config finds.
std::string name_in_reach(const std::string& name, const fs::path& from, const fs::path& sweep) {
  const fs::path found = config::find_file(name, from);
  if (is_known_by_name(name, found) && fs::equivalent(config::find_file(name, sweep), found)) {
    return name;
  }
  return fs::absolute(found).lexically_normal().string();
}

// Returns the name of the data set that it puts in the place of another one, if it does.
std::optional<std::string> keep_dataset_in_reach(config::Resolved& resolved, const Spec& spec,
                                                 const SweepFolder& folder) {
  std::string& name = resolved.config.tasks.dataset;
  if (!config::has_dataset(resolved.config)) return std::nullopt;
  try {
    const std::string earlier =
        std::exchange(name, name_in_reach(name, spec.config.parent_path(), folder.root));
    return name == earlier ? std::nullopt : std::optional(name);
  } catch (const BadInput& missing) {
    const auto key =
        static_cast<size_t>(config::find_key("tasks.dataset") - config::schema().data());
    throw config::ConfigErrors({fmt::format("{}: {}", resolved.origins[key], missing.what())});
  }
}

void put(std::vector<Override>& overrides, const std::string& key, const std::string& value) {
  const auto found = std::ranges::find(overrides, key, &Override::key);
  if (found != overrides.end()) {
    found->value = value;
  } else {
    overrides.insert(overrides.begin(), {key, value});
  }
}

// Complaints about a point's config, each where the spec sets the key that it is about.
class PointErrors {
 public:
  explicit PointErrors(const Spec& spec) : spec_(spec) {}

  // `about`: what to say after each.
  void add(const config::ConfigErrors& errors, const std::vector<Override>& overrides,
           const std::string& about) {
    for (const std::string& line : errors.lines()) {
      const auto [place, text] = placed(line, overrides);
      const bool is_new = seen_.insert(place + text).second;
      if (is_new) lines_.push_back(fmt::format("{}: {}{}", place, text, about));
    }
  }
  void throw_any() const {
    if (!lines_.empty()) throw config::ConfigErrors(lines_);
  }

 private:
  // "command line: word 2: …" is about the second override.
  std::pair<std::string, std::string> placed(const std::string& line,
                                             const std::vector<Override>& overrides) const {
    for (size_t i = 0; i < overrides.size(); ++i) {
      const std::string origin = fmt::format("command line: word {}: ", i + 1);
      if (!line.starts_with(origin)) continue;
      const auto place = spec_.places.find(overrides[i].key);
      return {place == spec_.places.end() ? spec_.name : place->second, line.substr(origin.size())};
    }
    return {spec_.config_place, line};
  }

  const Spec& spec_;
  std::set<std::string> seen_;
  std::vector<std::string> lines_;
};

config::Config base_config(const Spec& spec, const SweepFolder& folder) {
  PointErrors errors(spec);
  try {
    config::Resolved resolved = config::read_config(spec.config, words(spec.fixed));
    resolved.config.run_dir.clear();
    keep_dataset_in_reach(resolved, spec, folder);
    return resolved.config;
  } catch (const config::ConfigErrors& wrong) {
    errors.add(wrong, spec.fixed, "");
    errors.throw_any();
    throw;
  }
}

// With `seeds` of each.
void require_few(size_t combinations, size_t seeds, const Spec& spec) {
  if (combinations <= static_cast<size_t>(kMostPoints) / std::max<size_t>(seeds, 1)) return;
  throw BadInput(fmt::format(
      "{}: {} combinations with {} seeds each are more than {} points; take fewer values or seeds",
      spec.name, combinations, seeds, kMostPoints));
}

std::vector<std::string> seeds_of(const Spec& spec, int64_t first) {
  std::vector<std::string> seeds = spec.seeds;
  for (int64_t i = 0; i < spec.seed_count.value_or(0); ++i) {
    seeds.push_back(fmt::format("{}", first + i));
  }
  return seeds;
}

// With each seed; once without where the spec names none.
std::vector<std::vector<Override>> with_seeds(const std::vector<Override>& overrides,
                                              const std::vector<std::string>& seeds) {
  if (seeds.empty()) return {overrides};
  std::vector<std::vector<Override>> result;
  for (const std::string& seed : seeds) {
    result.push_back(overrides);
    result.back().push_back({"seed", seed});
  }
  return result;
}

// What the grid, the list and the draws give, less what is left out.
std::vector<std::vector<Override>> combinations_of(const Spec& spec) {
  std::vector<std::vector<Override>> combinations = expand(spec);
  std::erase_if(combinations, [&spec](const auto& one) {
    return std::ranges::any_of(spec.leave_out, [&](const auto& c) { return matches(c, one); });
  });
  return combinations;
}

// Reads a point's config. Keys that others of the point leave without effect, such as inner.rate of
// protonet, are dropped from it.
config::Resolved settle(std::vector<Override>& overrides, const Plan& plan, const Spec& spec) {
  try {
    return config::read_config_text(plan.base, spec.name, words(overrides));
  } catch (const config::ConfigErrors&) {
    const std::vector<std::string> idle = config::idle_words(plan.base, words(overrides));
    if (idle.empty()) throw;
    std::erase_if(overrides, [&idle](const Override& one) {
      return std::ranges::find(idle, one.key) != idle.end();
    });
  }
  return config::read_config_text(plan.base, spec.name, words(overrides));
}

std::string to_line(const Point& point) {
  Json overrides = Json::object();
  for (const auto& [key, value] : point.overrides) overrides[key] = value;
  return Json{{"point", point.number}, {"hash", point.hash}, {"overrides", overrides}}.dump() +
         "\n";
}

std::string to_lines(const Plan& plan) {
  std::string text;
  for (const Point& point : plan.points) text += to_line(point);
  return text;
}

Point read_line(const std::string& line) {
  const Json json = Json::parse(line);
  Point point{.number = json.at("point").get<int64_t>(),
              .hash = json.at("hash").get<std::string>()};
  for (const auto& [key, value] : json.at("overrides").items()) {
    point.overrides.push_back({key, value.get<std::string>()});
  }
  return point;
}

bool holds(const fs::path& file, const std::string& content) {
  std::error_code ignored;  // writing the file says what is wrong
  return fs::is_regular_file(file, ignored) && read_file(file) == content;
}

// Its report would take the place of the other's.
void require_nothing_else(const SweepFolder& folder) {
  std::error_code ignored;
  if (fs::exists(folder.manifest(), ignored)) return;
  for (const char* name : {"config.yaml", "ckpt", "manifest.json", "importance.h5"}) {
    if (!fs::exists(folder.root / name, ignored)) continue;
    throw BadInput(
        fmt::format("{}: holds '{}' but no sweep.jsonl, so it is no sweep; choose another folder "
                    "with --out",
                    folder.root.string(), name));
  }
}

}  // namespace

Plan read_spec(const fs::path& file, const SweepFolder& folder) {
  const Spec spec = read_spec_file(file);
  const config::Config base = base_config(spec, folder);
  Plan plan{.base = config::to_yaml(base)};
  PointErrors errors(spec);
  std::set<std::string> hashes;
  const auto combinations = combinations_of(spec);
  const std::vector<std::string> seeds = seeds_of(spec, base.seed);
  require_few(combinations.size(), seeds.size(), spec);
  for (const auto& combination : combinations) {
    for (auto& overrides : with_seeds(combination, seeds)) {
      try {
        config::Resolved resolved = settle(overrides, plan, spec);
        const auto dataset = keep_dataset_in_reach(resolved, spec, folder);
        if (dataset) put(overrides, "tasks.dataset", *dataset);
        std::string hash = config::config_hash(resolved.config);
        if (!hashes.insert(hash).second) continue;
        plan.points.push_back(
            {static_cast<int64_t>(plan.points.size()), std::move(overrides), std::move(hash)});
      } catch (const config::ConfigErrors& wrong) {
        errors.add(wrong, overrides,
                   fmt::format(" (with {}); change it or leave_out such points",
                               fmt::join(words(overrides), " ")));
      }
    }
  }
  errors.throw_any();
  if (plan.points.empty()) {
    throw BadInput(fmt::format("{}: leave_out leaves no point", file.string()));
  }
  return plan;
}

bool write_plan(const Plan& plan, const SweepFolder& folder) {
  const std::string lines = to_lines(plan);
  if (holds(folder.manifest(), lines) && holds(folder.base(), plan.base)) return false;
  std::error_code error;
  if (fs::exists(folder.points(), error)) {
    throw BadInput(fmt::format(
        "{}: points of another plan have begun here; plan into a new folder with --out, or remove "
        "{} to give them up",
        folder.root.string(), folder.points().string()));
  }
  require_nothing_else(folder);
  const auto require = [&error](const fs::path& path, const char* done) {
    if (!error) return;
    throw BadInput(fmt::format("{}: cannot be {}: {}; choose another folder with --out",
                               path.string(), done, error.message()));
  };
  fs::create_directories(folder.root, error);
  require(folder.root, "created");
  // The list of points last: without it there is no plan.
  fs::remove(folder.manifest(), error);
  require(folder.manifest(), "replaced");
  write_file_atomically(folder.base(), plan.base);
  write_file_atomically(folder.manifest(), lines);
  return true;
}

Plan read_plan(const SweepFolder& folder) {
  if (!fs::is_regular_file(folder.manifest())) {
    throw BadInput(
        fmt::format("{} is no sweep: it has no sweep.jsonl; `outerloop sweep plan SPEC` "
                    "makes one",
                    folder.root.string()));
  }
  Plan plan{.base = read_file(folder.base())};
  std::istringstream lines(read_file(folder.manifest()));
  for (std::string line; std::getline(lines, line);) {
    try {
      plan.points.push_back(read_line(line));
    } catch (const Json::exception&) {
      throw BadInput(fmt::format("{}:{}: damaged: expected a point; plan the sweep again",
                                 folder.manifest().string(), plan.points.size() + 1));
    }
  }
  return plan;
}

}  // namespace outerloop::sweep
