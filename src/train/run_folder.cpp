#include "outerloop/train/run_folder.h"

#include <fmt/chrono.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <limits>

#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/config/print.h"
#include "train/json.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

fs::path chosen_checkpoint(const RunFolder& folder, const std::string& which) {
  if (which != "best" && which != "last") return which;
  const auto store = checkpoint::Store::open_read(folder.checkpoints());
  if (which == "best") {
    if (const auto best = store.best()) return *best;
  }
  const auto files = store.list();
  if (files.empty()) {
    throw BadInput(fmt::format("{} holds no checkpoint; train it first: outerloop train {}",
                               folder.root.string(), folder.config().string()));
  }
  return files.back().file;
}

}  // namespace

std::string describe_run(const config::Config& config, const std::string& dataset_fingerprint,
                         const std::string& isa, int threads) {
  utsname machine{};
  uname(&machine);
  const nlohmann::ordered_json json{
      {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
      {"host", machine.nodename},
      {"system", fmt::format("{} {} {}", machine.sysname, machine.release, machine.machine)},
      {"version", OUTERLOOP_VERSION},
      {"compiler", __VERSION__},
      {"isa", isa},
      {"threads", threads},
      {"numerics", "ordered"},
      {"seed", config.seed},
      {"config_hash", config::config_hash(config)},
      {"dataset_fingerprint", dataset_fingerprint},
      {"protocol", protocol_json(config)}};
  return json.dump(2) + "\n";
}

std::string describe_summary(const RunFolder& folder) {
  std::ifstream file(folder.summary());
  const auto summary = nlohmann::json::parse(file);
  std::string text = fmt::format(
      "{} iterations in {:.1f} s, {:.0f} tasks/s\n", summary["iterations"].get<int64_t>(),
      summary["wall_s"].get<double>(), summary["tasks_per_s"].get<double>());
  // null: a number that does not exist, such as the mean of no tasks.
  const auto number = [](const nlohmann::json& statistic, const char* key) {
    const nlohmann::json& value = statistic.at(key);
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  };
  const auto line = [&](const char* name, const nlohmann::json& statistic, double scale,
                        const char* unit) {
    if (statistic.at("tasks").get<int64_t>() == 0) {
      text += fmt::format("test {}: none, all tasks diverged\n", name);
      return;
    }
    text += fmt::format("test {} {:.4g} ± {:.2g}{} (95 %, {} tasks), median {:.4g}{}\n", name,
                        scale * number(statistic, "mean"), scale * number(statistic, "ci95"), unit,
                        statistic.at("tasks").get<int64_t>(), scale * number(statistic, "median"),
                        unit);
  };
  if (summary.contains("test")) {
    const auto& test = summary["test"];
    if (test.contains("accuracy")) line("accuracy", test["accuracy"], 100, " %");
    line("loss", test["loss"], 1, "");
    if (test["diverged"].get<int64_t>() > 0) {
      text += fmt::format("{} of {} test tasks diverged\n", test["diverged"].get<int64_t>(),
                          test["tasks"].get<int64_t>());
    }
  }
  text += fmt::format("checkpoint {}\n", summary["checkpoint"].get<std::string>());
  return text;
}

StoredRun open_run(const fs::path& folder, const std::string& which,
                   std::span<const std::string> overrides) {
  StoredRun run{.folder = {folder}};
  if (fs::is_regular_file(folder)) {
    run.folder.root = folder.parent_path();
    run.checkpoint_file = folder;
  } else if (fs::is_regular_file(run.folder.config())) {
    run.checkpoint_file = chosen_checkpoint(run.folder, which);
  } else {
    throw BadInput(
        fmt::format("{} is no run folder: it has no config.yaml; give the run_dir of a "
                    "training or a checkpoint file",
                    folder.string()));
  }
  run.checkpoint = checkpoint::read_checkpoint(run.checkpoint_file);
  // The config that the checkpoint was made with; its data sets are looked up as for the run.
  run.config =
      config::read_config_text(run.checkpoint.config, run.checkpoint_file.string(), overrides);
  run.config.folder = run.folder.root;
  return run;
}

}  // namespace outerloop::train
