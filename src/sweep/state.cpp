#include "outerloop/sweep/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "outerloop/base/error.h"
#include "outerloop/base/file_lock.h"
#include "outerloop/checkpoint/checkpoint.h"

namespace outerloop::sweep {
namespace {

namespace fs = std::filesystem;

nlohmann::json parse(const fs::path& file) {
  std::ifstream in(file);
  return nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
}

std::string text(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The file that the summary names, wherever the sweep's folder lies by now.
std::optional<std::string> why_not_whole(const train::RunFolder& run, const std::string& name,
                                         const std::string& hash) {
  const fs::path file = run.checkpoints() / fs::path(name).filename();
  if (name.empty() || !fs::is_regular_file(file)) {
    return fmt::format("{}: the checkpoint that summary.json names is missing", file.string());
  }
  if (checkpoint::content_hash(file) == hash) return std::nullopt;
  return fmt::format("{}: its content is not what summary.json names", file.string());
}

std::string error_of(const fs::path& failure) {
  const nlohmann::json json = parse(failure);
  return json.is_object() ? text(json, "error") : failure.string() + ": damaged";
}

}  // namespace

std::optional<std::string> why_not_done(const SweepFolder& folder, const Point& point) {
  const train::RunFolder run = folder.run(point);
  if (!fs::is_regular_file(run.summary())) return run.summary().string() + ": no such file";
  const nlohmann::json summary = parse(run.summary());
  if (!summary.is_object()) return run.summary().string() + ": damaged: it is no JSON";
  if (text(summary, "config_hash") != point.hash) {
    return run.summary().string() + ": is of another config";
  }
  if (auto why = why_not_whole(run, text(summary, "final_checkpoint"),
                               text(summary, "final_content_hash"))) {
    return why;
  }
  return why_not_whole(run, text(summary, "checkpoint"), text(summary, "content_hash"));
}

PointState state_of(const SweepFolder& folder, const Point& point) {
  if (FileLock::is_taken(folder.lease(point))) return {State::running, {}};
  if (fs::exists(folder.failure(point))) return {State::failed, error_of(folder.failure(point))};
  if (!why_not_done(folder, point)) return {State::done, {}};
  return {fs::exists(folder.run(point).checkpoints()) ? State::interrupted : State::waiting, {}};
}

std::vector<PointState> states_of(const SweepFolder& folder, const Plan& plan) {
  std::vector<PointState> states;
  for (const Point& point : plan.points) states.push_back(state_of(folder, point));
  return states;
}

std::string describe(const Plan& plan, const std::vector<PointState>& states) {
  constexpr auto kNames = std::to_array<std::pair<State, const char*>>({
      {State::done, "done"},
      {State::failed, "failed"},
      {State::running, "running"},
      {State::interrupted, "interrupted"},
      {State::waiting, "waiting"},
  });
  std::string out = fmt::format("{} points:", plan.points.size());
  for (const auto& [state, name] : kNames) {
    out += fmt::format(" {} {}", std::ranges::count(states, state, &PointState::state), name);
    out += state == State::waiting ? "\n" : ",";
  }
  for (size_t i = 0; i < states.size(); ++i) {
    if (states[i].state != State::failed) continue;
    out += fmt::format("point {} ({}): {}\n", plan.points[i].number, words_of(plan.points[i]),
                       states[i].error);
  }
  return out;
}

int64_t retry_failed(const SweepFolder& folder, const Plan& plan, bool fresh) {
  int64_t count = 0;
  for (const Point& point : plan.points) {
    if (!fs::exists(folder.failure(point))) continue;
    const auto lease = FileLock::take(folder.lease(point));
    if (!lease) continue;
    if (fresh) fs::remove_all(folder.run(point).root);
    fs::remove(folder.failure(point));
    ++count;
  }
  return count;
}

std::string words_of(const Point& point) {
  std::string text;
  for (const auto& [key, value] : point.overrides) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, value);
  }
  return text.empty() ? "the base config" : text;
}

}  // namespace outerloop::sweep
