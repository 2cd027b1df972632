#pragma once
// Reading a config: a YAML file, then `key=value` words in order of the command line.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/config/config.h"

namespace outerloop::config {

// All that is wrong with a config, one line each: `FILE:LINE:COLUMN: what, and what to do` or
// `command line: word N: …`. Where keys do not go together the place is that of the one that was
// set last. what() is the lines joined by newlines.
class ConfigErrors : public BadInput {
 public:
  explicit ConfigErrors(std::vector<std::string> lines);
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

// A config and where each of its values came from.
struct Resolved {
  Config config;
  // By place in schema(): "default", "configs/a.yaml:3:7", "command line: word 2" or,
  // of run_dir, "the folder of runs/a/config.yaml".
  std::vector<std::string> origins;
  // Folder of the file; data set names are looked up from it first.
  std::filesystem::path folder;
  // The folder of the run whose own config this is; empty for any other.
  std::filesystem::path run;
};

// Throws ConfigErrors. An empty run_dir becomes runs/<file name>-seed<seed>, and that of a run's
// own config.yaml, which lies beside a manifest.json, their folder, wherever the run was begun.
Resolved read_config(const std::filesystem::path& file,
                     std::span<const std::string> overrides = {});

// The same for text in memory; `name` stands for the file in messages.
Resolved read_config_text(std::string_view text, std::string_view name,
                          std::span<const std::string> overrides = {});

// The keys of the words that have no effect because of others of them; none where one is wrong.
std::vector<std::string> idle_words(std::string_view text, std::span<const std::string> words);

// What is wrong with the value of a `key=value` word by itself: `inner.steps: expected …, got …`.
// Nothing where there is no such key.
std::optional<std::string> refusal_of_word(std::string_view word);

// Keys that do not go together: the key to change, what is wrong, and the other keys that it
// follows from.
struct Complaint {
  std::string key;
  std::string text;
  std::vector<std::string> causes;
  // The value has no effect beside the cause's. That is no fault where the cause was set later: a
  // file keeps what it says of maml when the command line chooses another algorithm.
  bool is_idle = false;
  // Once accepted: no fault in the config of a run that was trained with it.
  bool is_harmless = false;
};
// Empty = all well.
std::vector<Complaint> cross_check(const Config& config);

// Whether a training calls the folder its own: config.yaml, ckpt/, and a manifest.json with the
// config's hash.
bool is_run_folder(const std::filesystem::path& folder);

// Looks `name` up in `folder`, the working directory, the folder $OUTERLOOP_DATA, and the configs
// that lie beside the running program (in its source tree or installed). BadInput says where it
// looked.
std::filesystem::path find_file(const std::string& name, const std::filesystem::path& folder);

}  // namespace outerloop::config
