#include "outerloop/sweep/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "outerloop/base/atomic_file.h"
#include "outerloop/config/print.h"
#include "outerloop/config/read.h"
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

// A data set that only lies beside the base config is named by its whole path.
void keep_dataset_in_reach(config::Config& config, const fs::path& from, const fs::path& sweep) {
  if (!config::has_dataset(config)) return;
  const fs::path found = config::find_file(config.tasks.dataset, from);
  try {
    config::find_file(config.tasks.dataset, sweep);
  } catch (const BadInput&) {
    config.tasks.dataset = fs::absolute(found).string();
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
    config::Config config = config::read_config(spec.config, words(spec.fixed)).config;
    config.run_dir.clear();
    keep_dataset_in_reach(config, spec.config.parent_path(), folder.root);
    return config;
  } catch (const config::ConfigErrors& wrong) {
    errors.add(wrong, spec.fixed, "");
    errors.throw_any();
    throw;
  }
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
  return fs::is_regular_file(file) && read_file(file) == content;
}

}  // namespace

Plan read_spec(const fs::path& file, const SweepFolder& folder) {
  const Spec spec = read_spec_file(file);
  const config::Config base = base_config(spec, folder);
  Plan plan{.base = config::to_yaml(base)};
  PointErrors errors(spec);
  std::set<std::string> hashes;
  for (const auto& combination : expand(spec)) {
    if (std::ranges::any_of(spec.leave_out, [&](const auto& c) { return matches(c, combination); }))
      continue;
    for (auto& overrides : with_seeds(combination, seeds_of(spec, base.seed))) {
      try {
        std::string hash = config::config_hash(settle(overrides, plan, spec).config);
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
  if (fs::exists(folder.points())) {
    throw BadInput(fmt::format(
        "{}: points of another plan have begun here; plan into a new folder with --out, or remove "
        "{} to give them up",
        folder.root.string(), folder.points().string()));
  }
  std::error_code error;
  fs::create_directories(folder.root, error);
  if (error) {
    throw BadInput(fmt::format("{}: cannot be created: {}; choose another folder with --out",
                               folder.root.string(), error.message()));
  }
  // The list of points last: without it there is no plan.
  fs::remove(folder.manifest());
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
