#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "cli/doctor_checks.h"
#include "cli/ranks.h"
#include "outerloop/base/program_files.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/mpi.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

long number(const char* name, long otherwise) {
  const auto text = variable(name);
  return text ? std::strtol(text->c_str(), nullptr, 10) : otherwise;
}

std::optional<fs::path> find_program(const char* name) {
  std::istringstream folders(variable("PATH").value_or(""));
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path file = fs::path(folder) / name;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

std::string output_of(const char* command) {
  std::string text;
  FILE* pipe = popen(command, "r");
  if (pipe == nullptr) return text;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) text += line.data();
  pclose(pipe);
  return text;
}

bool is_open_mpi() {
  return comm::mpi_version().starts_with("Open MPI");
}

}  // namespace

// A launcher of another MPI starts ranks that do not find each other: each would train alone.
Finding check_mpi(const fs::path&) {
  const std::string library = comm::mpi_version();
  const bool by_open_mpi = variable("OMPI_COMM_WORLD_SIZE").has_value();
  const bool by_pmi = variable("PMI_RANK").has_value() && !variable("PMIX_RANK");
  if (is_open_mpi() ? by_pmi && !by_open_mpi : by_open_mpi) {
    return {Verdict::bad, fmt::format("{}, but the launcher is of another MPI", library),
            "start with the mpirun that belongs to the library (`ldd` on this program shows its "
            "place), or with srun --mpi=pmix"};
  }
  if (const long size = number("OMPI_COMM_WORLD_SIZE", 0); size > 0) {
    return {.text =
                fmt::format("{}; rank {} of {}", library, number("OMPI_COMM_WORLD_RANK", 0), size)};
  }
  if (comm::started_by_mpi()) return {.text = fmt::format("{}; started as a rank", library)};
  if (tasks_of_srun() > 1) {
    return {Verdict::bad,
            fmt::format("{}; srun started {} tasks that do not know of each other", library,
                        tasks_of_srun()),
            "use srun --mpi=pmix (srun --mpi=list shows what there is), or mpirun in the job"};
  }
  return {.text = fmt::format("{}; started alone", library)};
}

Finding check_launcher(const fs::path&) {
  const fs::path beside = program_files().command.parent_path() / "mpirun";  // in a bundle
  if (fs::exists(beside)) return {.text = beside.string()};
  const auto found = find_program("mpirun");
  if (found) return {.text = found->string()};
  return {Verdict::notice, "no mpirun on the PATH",
          "load the MPI module that this program was built with (apt-get install openmpi-bin on "
          "Debian); one process needs none"};
}

// Ranks of one host whose threads would share cores.
Finding check_binding(const fs::path&) {
  const long ranks = number("OMPI_COMM_WORLD_LOCAL_SIZE", number("MPI_LOCALNRANKS", 1));
  const auto allowed = static_cast<long>(allowed_cores().size());
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  const std::string text = fmt::format("{} {} on this host, {} of {} cores each", ranks,
                                       ranks == 1 ? "rank" : "ranks", allowed, online);
  if (ranks == 1 || ranks * allowed <= online) return {.text = text};
  return {Verdict::notice, text,
          fmt::format("they share cores: add --bind-to core --map-by ppr:{}:node:pe={} to mpirun, "
                      "or set runtime.threads={}",
                      ranks, std::max(1L, online / ranks), std::max(1L, online / ranks))};
}

Finding check_slurm(const fs::path&) {
  const auto job = variable("SLURM_JOB_ID");
  if (!find_program("srun")) {
    if (!job) return {.text = "none"};
    return {Verdict::notice, fmt::format("job {}, but no srun on the PATH", *job),
            "load the site's slurm module, or use mpirun in the job"};
  }
  const std::string text =
      job ? fmt::format("job {} on {} nodes", *job, number("SLURM_JOB_NUM_NODES", 1))
          : "there, not in a job";
  const std::string kinds = output_of("timeout 5 srun --mpi=list 2>&1");
  if (kinds.find("pmix") != std::string::npos) return {.text = text + ", with PMIx"};
  if (kinds.find("types are") == std::string::npos) {
    return {Verdict::notice, "srun is there, but finds no cluster",
            "set SLURM_CONF if this host belongs to one"};
  }
  return {Verdict::notice, text + ", without PMIx",
          "set OUTERLOOP_LAUNCH=mpirun for launch/slurm.sbatch, or ask the site for Slurm's PMIx "
          "plugin"};
}

}  // namespace outerloop::cli
