#pragma once
// The folder of a run: config.yaml, manifest.json, metrics.jsonl, TensorBoard events, ckpt/,
// time.jsonl (time that each checkpoint took), hashes.bin (of each iteration), log/, summary.json,
// test_tasks.csv (results of each test task), report.html, STOP, begun_from.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/train/setup.h"

namespace outerloop::train {

struct RunFolder {
  std::filesystem::path root;

  std::filesystem::path config() const { return root / "config.yaml"; }
  std::filesystem::path manifest() const { return root / "manifest.json"; }
  std::filesystem::path metrics() const { return root / "metrics.jsonl"; }
  std::filesystem::path events() const { return root / "tensorboard"; }
  std::filesystem::path checkpoints() const { return root / "ckpt"; }
  std::filesystem::path time() const { return root / "time.jsonl"; }
  std::filesystem::path hashes() const { return root / "hashes.bin"; }
  std::filesystem::path log(int rank = 0) const;
  std::filesystem::path summary() const { return root / "summary.json"; }
  std::filesystem::path test_tasks() const { return root / "test_tasks.csv"; }
  std::filesystem::path report() const { return root / "report.html"; }
  std::filesystem::path stop_file() const { return root / "STOP"; }
  // The content hash of the checkpoint file that it began from, while it is not finished.
  std::filesystem::path begun_from() const { return root / "begun_from"; }

  // Whether a training gives its own files this name: what it wrote there, or is going to.
  bool owns(const std::filesystem::path& file) const;
};

// The run that the path lies in or is, if any.
std::optional<RunFolder> run_around(const std::filesystem::path& path);

// Who computes a run.
struct Machines {
  std::string device = "cpu";      // or a GPU's name
  int threads = 1;                 // of a rank
  std::vector<std::string> hosts;  // of each rank
  std::string sums_by = "none";    // how sums go between ranks: "mpi" or "nccl 2.28.9"
};
// Host, versions, machine, data set, protocol: what a checkpoint must not hold. JSON text.
std::string describe_run(const config::Config& config, const Data& data, const Machines& machines);

// Throws BadInput where the folder is none of a run.
void require_run(const RunFolder& folder);

// Whether a training may be going on in the folder: on this host that is known, on others that
// share the folder not always.
bool may_be_in_training(const RunFolder& folder);

// The result of a finished run from its summary.json, a few lines for people.
std::string describe_summary(const RunFolder& folder);

}  // namespace outerloop::train
