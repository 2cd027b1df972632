#include "outerloop/train/run_folder.h"

#include <fmt/chrono.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>

#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/config/print.h"
#include "outerloop/config/read.h"
#include "outerloop/io/json_text.h"
#include "outerloop/train/build_info.h"
#include "outerloop/train/setup.h"
#include "train/json.h"
#include "train/statistic_text.h"

namespace outerloop::train {

std::filesystem::path RunFolder::log(int rank) const {
  return root / "log" / fmt::format("rank-{:03}.log", rank);
}

bool RunFolder::owns(const std::filesystem::path& file) const {
  const std::filesystem::path own[] = {config(),    manifest(),   metrics(),     time(),
                                       hashes(),    summary(),    test_tasks(),  report(),
                                       stop_file(), begun_from(), root / ".lock"};
  if (std::ranges::find(own, file) != std::end(own)) return true;
  const std::filesystem::path folder = file.parent_path();
  if (folder == checkpoints()) return checkpoint::Store::gives_name(file.filename().string());
  return folder == events() || folder == log().parent_path();
}

std::optional<RunFolder> run_around(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::path folder = std::filesystem::absolute(path, ignored).lexically_normal();
  for (; folder.has_relative_path(); folder = folder.parent_path()) {
    if (config::is_run_folder(folder)) return RunFolder{folder};
  }
  return std::nullopt;
}

void require_run(const RunFolder& folder) {
  if (std::filesystem::is_regular_file(folder.config())) return;
  throw BadInput(
      fmt::format("{} is no run folder: it has no config.yaml; give the run_dir of a training",
                  folder.root.string()));
}

std::string describe_run(const config::Config& config, const Data& data, const Machines& machines) {
  utsname machine{};
  uname(&machine);
  const nlohmann::ordered_json json{
      {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
      {"host", machine.nodename},
      {"system", fmt::format("{} {} {}", machine.sysname, machine.release, machine.machine)},
      {"version", build_version()},
      {"commit", build_commit()},
      {"compiler", __VERSION__},
      {"device", machines.device},
      {"isa", exec::name_of(compile_options(config).isa)},
      {"threads", machines.threads},
      {"ranks", machines.hosts.size()},
      {"hosts", machines.hosts},
      {"sums_by", machines.sums_by},
      {"numerics", config::word(config.runtime.numerics)},
      {"precision", config::word(config.runtime.precision)},
      {"reduction", config::word(config.runtime.reduction)},
      {"seed", config.seed},
      {"config_hash", config::config_hash(config)},
      {"dataset", data.file.string()},
      {"dataset_fingerprint", data.fingerprint},
      {"protocol", protocol_json(config)}};
  return io::json_text(json, 2) + "\n";
}

std::string describe_summary(const RunFolder& folder) {
  std::ifstream file(folder.summary());
  const auto summary = nlohmann::ordered_json::parse(file);
  std::string text =
      fmt::format("{} in {:.1f} s, {:.0f} tasks/s\n",
                  counted(summary["iterations"].get<int64_t>(), "iteration"),
                  summary["wall_s"].get<double>(), summary["tasks_per_s"].get<double>());
  const auto line = [&](const char* name, const nlohmann::ordered_json& json, const Units& units) {
    const Statistic s = statistic_of(json);
    if (s.tasks == 0) {
      text += fmt::format("test {}: none, {}\n", name, tasks_in_words(s));
      return;
    }
    text += fmt::format("test {} {} ({}{}), median {}\n", name, mean_in_words(s, units),
                        std::isfinite(s.ci95) ? "95 %, " : "", tasks_in_words(s),
                        median_in_words(s, units));
  };
  if (summary.contains("test")) {
    const auto& test = summary["test"];
    if (test.contains("accuracy")) line("accuracy", test["accuracy"], units_of(true));
    line("loss", test["loss"], units_of(false));
    if (test["diverged"].get<int64_t>() > 0) {
      const auto draws = test["tasks"].get<int64_t>();
      text += fmt::format("{} of {} {}test tasks diverged\n", test["diverged"].get<int64_t>(),
                          draws, test.value("distinct", draws) < draws ? "draws of " : "");
    }
  }
  text += fmt::format("checkpoint {}\n", summary["checkpoint"].get<std::string>());
  return text;
}

}  // namespace outerloop::train
