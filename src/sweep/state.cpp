#include "outerloop/sweep/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "outerloop/base/error.h"
#include "outerloop/base/file_lock.h"
#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/checkpoint/store.h"

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

// Of a file that the summary names, wherever the sweep's folder lies by now.
std::optional<std::string> why_not_whole(const train::RunFolder& run, const std::string& name,
                                         const std::string& hash) {
  const fs::path file = run.checkpoints() / fs::path(name).filename();
  if (name.empty() || !fs::is_regular_file(file)) {
    return fmt::format("{}: the checkpoint that summary.json names is missing", file.string());
  }
  if (checkpoint::content_hash(file) == hash) return std::nullopt;
  return fmt::format("{}: its content is not what summary.json names", file.string());
}

// The summary against the files that it names.
std::optional<std::string> why_not_whole(const train::RunFolder& run,
                                         const nlohmann::json& summary) {
  for (const auto& [file, hash] :
       {std::pair{"final_checkpoint", "final_content_hash"}, {"checkpoint", "content_hash"}}) {
    if (auto why = why_not_whole(run, text(summary, file), text(summary, hash))) return why;
  }
  return std::nullopt;
}

// Why the summary is none of this point; nothing when it is, and then it is in `summary`.
std::optional<std::string> why_no_summary(const train::RunFolder& run, const Point& point,
                                          nlohmann::json& summary) {
  const fs::path file = run.summary();
  if (!fs::is_regular_file(file)) return file.string() + ": no such file";
  summary = parse(file);
  if (!summary.is_object()) return file.string() + ": damaged: it is no JSON";
  if (text(summary, "config_hash") != point.hash) return file.string() + ": is of another config";
  return std::nullopt;
}

void require_removed(const fs::path& what, const std::error_code& error) {
  if (!error) return;
  throw SystemFailure(fmt::format("{}: cannot be removed: {}; it must go before the point can run",
                                  what.string(), error.message()));
}

std::string error_of(const fs::path& failure) {
  const nlohmann::json json = parse(failure);
  return json.is_object() ? text(json, "error") : failure.string() + ": damaged";
}

}  // namespace

std::optional<std::string> why_not_done(const SweepFolder& folder, const Point& point) {
  const train::RunFolder run = folder.run(point);
  nlohmann::json summary;
  if (auto why = why_no_summary(run, point, summary)) return why;
  return why_not_whole(run, summary);
}

std::optional<std::string> discard_result(const SweepFolder& folder, const Point& point) {
  const train::RunFolder run = folder.run(point);
  std::error_code error;
  if (!fs::exists(run.summary(), error)) return std::nullopt;
  nlohmann::json summary;
  std::optional<std::string> damage;
  if (!why_no_summary(run, point, summary)) damage = why_not_whole(run, summary);
  if (damage) checkpoint::Store(run.checkpoints()).set_aside_later_than(-1);
  fs::remove(run.summary(), error);
  require_removed(run.summary(), error);
  return damage;
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
    std::error_code error;
    if (fresh) fs::remove_all(folder.run(point).root, error);
    require_removed(folder.run(point).root, error);
    fs::remove(folder.failure(point), error);
    require_removed(folder.failure(point), error);
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
