// outerloop ckpt: what is in checkpoints, whether they are whole, how they differ.

#include <fmt/format.h>

#include <filesystem>

#include "cli/output_file.h"
#include "cli/program.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/checkpoint/tools.h"
#include "outerloop/config/print.h"
#include "outerloop/config/read.h"
#include "outerloop/train/divergence.h"
#include "outerloop/train/run_folder.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;

constexpr int kDiffer = 1;  // as diff(1)

// The folder that holds a run's checkpoints: RUN/ckpt, or the folder itself.
fs::path checkpoint_folder(const fs::path& path) {
  return fs::is_directory(path / "ckpt") ? path / "ckpt" : path;
}

std::vector<checkpoint::StoredFile> stored(const fs::path& path) {
  if (!fs::is_directory(path)) throw BadInput(fmt::format("{}: no such folder", path.string()));
  auto files = checkpoint::Store::open_read(checkpoint_folder(path)).list();
  if (files.empty()) throw BadInput(fmt::format("{}: no checkpoints in it", path.string()));
  return files;
}

// A checkpoint file; of a run or folder, the newest.
fs::path checkpoint_file(const fs::path& path) {
  if (fs::is_directory(path)) return stored(path).back().file;
  checkpoint::require_checkpoint(path);
  return path;
}

Checkpoint read(const fs::path& path) {
  return checkpoint::read_checkpoint(checkpoint_file(path));
}

int list(const fs::path& path) {
  const auto files = stored(path);
  const auto best = checkpoint::Store::open_read(checkpoint_folder(path)).best();
  fmt::print("{:>10}  {:>12}  file\n", "iteration", "bytes");
  for (const auto& [iteration, file] : files) {
    const bool is_best = best && fs::weakly_canonical(*best) == fs::weakly_canonical(file);
    std::error_code error;
    const uintmax_t bytes = fs::file_size(file, error);
    if (error) continue;  // removed by its training meanwhile
    fmt::print("{:>10}  {:>12}  {}{}\n", iteration, bytes, file.string(),
               is_best ? "  (best)" : "");
  }
  return kDone;
}

int show(const fs::path& path) {
  fmt::print("{}", checkpoint::show(read(path)));
  return kDone;
}

// How the configs of two runs differ, and where their courses part.
std::string parting(const fs::path& a, const fs::path& b) {
  const auto config = [](const fs::path& run) {
    return config::read_config(train::RunFolder{run}.config()).config;
  };
  std::string keys;
  for (const auto& [key, first, second] : config::differences(config(a), config(b))) {
    keys += fmt::format("{}{} is {} and {}", keys.empty() ? "" : ", ", key, first, second);
  }
  if (!keys.empty()) keys = fmt::format("runs of different configs: {}\n", keys);
  for (const fs::path& run : {a, b}) {
    if (fs::exists(train::RunFolder{run}.hashes())) continue;
    return keys + fmt::format(
                      "{} has no hashes.bin (log.hashes): only the newest checkpoints are "
                      "compared\n",
                      run.string());
  }
  try {
    return keys + train::describe(train::compare_runs(a, b));
  } catch (const BadInput& error) {
    return keys + fmt::format("{}: only the newest checkpoints are compared\n", error.what());
  }
}

bool is_run(const fs::path& path) {
  return fs::is_regular_file(train::RunFolder{path}.config());
}

int diff(const fs::path& a, const fs::path& b) {
  const checkpoint::Difference difference = checkpoint::diff(read(a), read(b));
  if (is_run(a) && is_run(b)) fmt::print("{}", parting(a, b));
  std::string text = checkpoint::to_text(difference);
  if (!text.ends_with('\n')) text += '\n';
  fmt::print("{}", text);
  return difference.identical() ? kDone : kDiffer;
}

// Every file of every path, so that one damaged file does not hide the next.
int verify(const std::vector<std::string>& paths) {
  int code = kDone;
  for (const fs::path path : paths) {
    std::vector<fs::path> files;
    if (fs::is_directory(path)) {
      for (const auto& entry : stored(path)) files.push_back(entry.file);
    } else {
      checkpoint::require_checkpoint(path);
      files.push_back(path);
    }
    for (const fs::path& file : files) {
      try {
        checkpoint::verify_checkpoint(file);
        fmt::print("{}: whole, sha256 {}\n", file.string(), checkpoint::content_hash(file));
      } catch (const CorruptFile& damage) {
        fmt::print("{}\n", damage.what());
        code = kFailed;
      } catch (const Error&) {
        // Where a training goes on, it may have removed the file meanwhile.
        if (!fs::is_directory(path) || fs::exists(file)) throw;
      }
    }
  }
  return code;
}

checkpoint::ExportFormat format_of(const fs::path& file) {
  if (file.extension() == ".safetensors") return checkpoint::ExportFormat::safetensors;
  if (file.extension() == ".npz") return checkpoint::ExportFormat::npz;
  if (file.extension() == ".h5") return checkpoint::ExportFormat::model;
  throw BadInput(
      fmt::format("{}: expected a name that ends in .h5, .safetensors or .npz", file.string()));
}

// What is tested of a run: its best checkpoint, the newest where there is no best.
fs::path exported_checkpoint(const fs::path& path, const std::string& which) {
  if (!fs::is_directory(path)) {
    if (which.empty()) return checkpoint_file(path);
    throw BadInput(
        fmt::format("--checkpoint {} is of a run folder, {} is none", which, path.string()));
  }
  const fs::path newest = checkpoint_file(path);
  if (which == "last") return newest;
  return checkpoint::Store::open_read(checkpoint_folder(path)).best().value_or(newest);
}

std::string exported_values(const Checkpoint& content, checkpoint::ExportFormat format, bool last) {
  if (last || content.ema.empty()) return "parameters";
  return format == checkpoint::ExportFormat::model ? "parameters and their running mean"
                                                   : "running mean of the parameters";
}

int export_to(const fs::path& path, const std::string& which, const fs::path& out, bool last) {
  const checkpoint::ExportFormat format = format_of(out);
  const fs::path in = exported_checkpoint(path, which);
  require_place_for(out, with_dataset(in));
  const Checkpoint content = checkpoint::read_checkpoint(in);
  if (last && content.ema.empty()) {
    throw BadInput(fmt::format("{}: holds no running mean (outer.ema was none): leave --no-ema out",
                               in.string()));
  }
  checkpoint::export_parameters(
      content, out, format,
      last ? checkpoint::ExportValues::last : checkpoint::ExportValues::tested);
  fmt::print("{} at iteration {}: {} -> {}\n", in.string(), content.iteration,
             exported_values(content, format, last), out.string());
  return kDone;
}

int average(const std::vector<std::string>& paths, const fs::path& out) {
  if (fs::exists(out)) throw BadInput(fmt::format("{}: exists; name a new file", out.string()));
  require_place_for(out);
  std::vector<Checkpoint> checkpoints;
  for (const std::string& path : paths) checkpoints.push_back(read(path));
  AtomicFile file(out);
  checkpoint::write_checkpoint(checkpoint::average(checkpoints, paths), file.temporary());
  file.commit();
  for (size_t i = 0; i < paths.size(); ++i) {
    if (checkpoints[i].config_hash == checkpoints.back().config_hash) continue;
    tell(fmt::format(
        "warning: {} is of a training with another config than {}, whose config the mean has\n",
        paths[i], paths.back()));
  }
  fmt::print("mean of {} -> {}\n", counted(paths.size(), "checkpoint"), out.string());
  return kDone;
}

struct CkptArguments {
  std::vector<std::string> paths;
  std::string a, b, out;
  std::string checkpoint;  // empty: not said
  bool no_ema = false;
};

}  // namespace

void add_ckpt(Program& program) {
  auto options = std::make_shared<CkptArguments>();
  Command ckpt = program.app.add_subcommand("ckpt", "Look at checkpoints");
  ckpt.require_subcommand();
  const auto add = [&](const char* name, const char* help, auto action) {
    Command command = ckpt.add_subcommand(name, help);
    command.callback([&program, action, options] {
      program.action = [action, options] { return action(*options); };
    });
    return command;
  };
  constexpr const char* kPath = "Checkpoint file, or run folder for its newest";

  Command ls =
      add("ls", "List the checkpoints of a run", [](const CkptArguments& o) { return list(o.a); });
  ls.add_option("RUN", options->a, "Run folder").required();

  add("show", "Scalars, tensors and their statistics",
      [](const CkptArguments& o) { return show(o.a); })
      .add_option("PATH", options->a, kPath)
      .required();

  Command diff_command = add("diff", "First differing tensor, distances, cosines; exit 1 if any",
                             [](const CkptArguments& o) { return diff(o.a, o.b); });
  diff_command.add_option("A", options->a, kPath).required();
  diff_command.add_option("B", options->b, kPath).required();

  add("verify", "Check every byte; exit 1 if one is damaged",
      [](const CkptArguments& o) { return verify(o.paths); })
      .add_option("PATHS", options->paths, "Checkpoint files, or run folders for all of theirs")
      .required();

  Command exporting =
      add("export", "Write the meta-parameters that are tested for other programs, or a model",
          [](const CkptArguments& o) { return export_to(o.a, o.checkpoint, o.out, o.no_ema); });
  exporting.add_option("PATH", options->a, "Checkpoint file or run folder").required();
  exporting
      .add_option("OUT", options->out,
                  "File to write: .safetensors, .npz, or .h5 for a checkpoint without the "
                  "optimiser's state, to evaluate and predict with")
      .required();
  exporting.add_option("--checkpoint", options->checkpoint, "Of a run folder: best or last")
      .one_of({"best", "last"})
      .default_str("best");
  exporting.add_flag("--no-ema", options->no_ema,
                     "The last values in place of their running mean (outer.ema)");

  Command averaging = add("average", "Mean of the meta-parameters of several checkpoints",
                          [](const CkptArguments& o) { return average(o.paths, o.out); });
  averaging.add_option("PATHS", options->paths, kPath).required();
  averaging.add_option("--out", options->out, "Checkpoint to write").required();
}

}  // namespace outerloop::cli
