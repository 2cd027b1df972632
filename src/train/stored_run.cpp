#include "outerloop/train/stored_run.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "outerloop/base/error.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/config/schema.h"
#include "outerloop/train/protocol_overrides.h"
#include "train/preparation.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

fs::path chosen_checkpoint(const RunFolder& folder, const std::string& which) {
  if (which != "best" && which != "last") {
    if (fs::exists(which)) return which;
    throw BadInput(
        fmt::format("checkpoint: expected best, last or a file, and there is no file '{}'", which));
  }
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

bool dataset_was_overridden(const config::Resolved& resolved) {
  const auto place =
      static_cast<size_t>(config::find_key("tasks.dataset") - config::schema().data());
  return resolved.origins.at(place).starts_with("command line");
}

// The run that a checkpoint file lies in, else its folder.
RunFolder folder_around(const fs::path& checkpoint_file) {
  const fs::path folder = fs::absolute(checkpoint_file).parent_path();
  const RunFolder run{folder.parent_path()};
  const bool in_run =
      folder.filename() == run.checkpoints().filename() && fs::is_regular_file(run.config());
  return in_run ? run : RunFolder{folder};
}

// A file named beside a run folder may be of another training, but not of other tasks: what is
// made of it goes into this folder.
void require_family_of(const RunFolder& folder, const StoredRun& run) {
  const config::TaskFamily found = run.config.config.tasks.family;
  const config::TaskFamily own = config::read_config(folder.config()).config.tasks.family;
  if (found == own) return;
  throw BadInput(fmt::format(
      "{} is a checkpoint of tasks of the family {}, those of {} are of {}; give the checkpoint in "
      "place of the run, or one of this run",
      run.checkpoint_file.string(), config::word(found), folder.root.string(), config::word(own)));
}

}  // namespace

fs::path known_dataset(const RunFolder& folder) {
  std::ifstream file(folder.manifest());
  const auto manifest = nlohmann::json::parse(file, nullptr, false);
  if (!manifest.is_object()) return {};
  const auto found = manifest.find("dataset");
  if (found == manifest.end() || !found->is_string()) return {};
  const fs::path dataset = found->get<std::string>();
  std::error_code error;
  return fs::is_regular_file(dataset, error) ? dataset : fs::path();
}

config::Config with_known_dataset(const config::Resolved& resolved) {
  config::Config config = resolved.config;
  if (resolved.run.empty() || dataset_was_overridden(resolved)) return config;
  const fs::path dataset = known_dataset(RunFolder{resolved.run});
  if (!dataset.empty()) config.tasks.dataset = dataset.string();
  return config;
}

StoredRun open_run(const fs::path& path, const std::string& which,
                   std::span<const std::string> overrides) {
  const std::vector<std::string> words = protocol_overrides(overrides);
  StoredRun run{.folder = {path}};
  if (fs::is_regular_file(path)) {
    if (which != "best") {
      throw BadInput(
          fmt::format("--checkpoint {} is of a run folder, {} is none", which, path.string()));
    }
    run.folder = folder_around(path);
    run.checkpoint_file = path;
  } else if (fs::is_regular_file(run.folder.config())) {
    run.checkpoint_file = chosen_checkpoint(run.folder, which);
  } else if (!fs::exists(path)) {
    throw BadInput(fmt::format("{}: no such run folder or checkpoint file", path.string()));
  } else {
    throw BadInput(fmt::format(
        "{} is no run folder: it has no config.yaml; give the run_dir of a training or a "
        "checkpoint file",
        path.string()));
  }
  checkpoint::require_checkpoint(run.checkpoint_file);
  run.checkpoint = checkpoint::read_checkpoint(run.checkpoint_file);
  try {
    run.config =
        config::read_config_text(run.checkpoint.config, run.checkpoint_file.string(), words);
  } catch (const config::ConfigErrors& refused) {
    throw by_written_keys(refused, overrides);
  }
  run.config.folder = run.config.run = run.folder.root;
  if (run.checkpoint_file == which) require_family_of(run.folder, run);
  run.config.config = with_known_dataset(run.config);
  return run;
}

Setup make_setup(const StoredRun& run) {
  const bool is_other = dataset_was_overridden(run.config);
  std::optional<data::TablePreparation> known;
  if (is_other && run.config.config.tasks.family == config::TaskFamily::table) {
    known = stored_table_preparation(run);
  }
  Setup setup = make_setup(run.config.config, run.config.folder, known ? &*known : nullptr);
  const std::string& trained_on = run.checkpoint.dataset_fingerprint;
  if (setup.data.fingerprint != trained_on && !is_other) {
    throw BadInput(fmt::format(
        "{} is not the data set that {} was trained on (fingerprints {} and {}); name it with "
        "tasks.dataset=FILE to use it all the same",
        setup.data.file.string(), run.checkpoint_file.string(), setup.data.fingerprint,
        trained_on));
  }
  return setup;
}

}  // namespace outerloop::train
