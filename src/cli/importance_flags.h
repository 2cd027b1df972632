#pragma once
// What `outerloop importance RUN` is told on the command line.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/program.h"
#include "outerloop/interp/run_importance.h"

namespace outerloop::cli {

struct RunImportanceFlags {
  std::optional<std::string> checkpoint, split, out;
  std::optional<std::string> budget, donors;
  std::optional<double> half_width;
  std::optional<int64_t> tasks, seed, repeats, bins, threads;
  std::optional<int64_t> patch, superpixels, strokes;
  bool exact = false, curve = false;
  std::vector<std::string> estimands, metrics, groups;
};

// What is scored, and how.
void add_scoring_flags(Command command, RunImportanceFlags& flags);
// How much, and where the results go.
void add_budget_and_folder_flags(Command command, RunImportanceFlags& flags);

// Not a YAML file: a folder, a checkpoint file, or nothing at all.
bool is_run(const std::filesystem::path& source);

// Throws BadInput when any is given.
void refuse_flags_of_runs(const RunImportanceFlags& flags);

// Throws BadInput on what cannot be.
interp::RunImportanceSpec run_importance_spec(const std::string& run,
                                              const std::vector<std::string>& words,
                                              const RunImportanceFlags& flags);

// --out, or RUN/importance beside the run's other files.
std::filesystem::path run_importance_folder(const std::filesystem::path& run,
                                            const RunImportanceFlags& flags);

}  // namespace outerloop::cli
