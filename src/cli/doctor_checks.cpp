#include "cli/doctor_checks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/cpu_quota.h"
#include "outerloop/base/error.h"
#include "outerloop/base/memory.h"
#include "outerloop/base/terminal.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/nccl.h"
#include "outerloop/config/read.h"
#include "outerloop/exec/cuda.h"
#include "outerloop/exec/isa.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/hdf5_version.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kMiB = 1024.0 * 1024.0;
constexpr double kLowMemory = 512;  // MiB; the largest shipped config trains in less
constexpr double kLowDisk = 1024;   // MiB
constexpr double kLargeSkew = 5;    // seconds

// Removes the file at the end of its scope.
struct ScratchFile {
  fs::path path;
  explicit ScratchFile(const fs::path& folder, std::string_view name)
      : path(folder / fmt::format(".outerloop-doctor-{}-{}", getpid(), name)) {}
  ~ScratchFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

Finding instructions(const fs::path&) {
  const exec::Isa isa = exec::select_isa();
  const std::string text = fmt::format("{} kernels", exec::name_of(isa));
  if (isa != exec::Isa::scalar) return {.text = text};
  return {Verdict::notice, text,
          "results are the same but slow; use a machine with AVX2, and unset OUTERLOOP_ISA"};
}

Finding cores(const fs::path&) {
  const auto allowed = static_cast<long>(allowed_cores().size());
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  const std::string text = fmt::format("{} of {} may be used", allowed, online);
  if (const auto quota = cpu_quota(); quota && *quota < static_cast<double>(allowed)) {
    return {Verdict::notice, fmt::format("{}, but only {:.1f} CPUs' worth of time", text, *quota),
            fmt::format("runtime.threads=0 starts {}; raise the container's CPU limit for more",
                        fitting_threads())};
  }
  if (allowed < online) {
    return {Verdict::notice, text,
            "if you own the whole machine, start without taskset; under Slurm ask for more "
            "--cpus-per-task"};
  }
  return {.text = text};
}

Finding memory(const fs::path&) {
  const auto bytes = available_memory();
  if (!bytes) return {.text = "not told by this system"};
  const double available = static_cast<double>(*bytes) / kMiB;
  const std::string text = fmt::format("{:.0f} MiB available", available);
  if (available >= kLowMemory) return {.text = text};
  return {Verdict::notice, text,
          "set inner.segment=1 and fewer runtime.threads, or end other programs"};
}

// Why no file can be written there; empty: one can.
std::string refusal_of_files(const fs::path& folder) {
  const ScratchFile scratch(folder, "file");
  try {
    write_file_atomically(scratch.path, "check");
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

// Of the checks that need a file, where the check of the disk says why there is none.
Finding not_tried() {
  return {Verdict::notice, "not tried: no file can be written", "see the check of the disk"};
}

// Writes and reads back a file by the library that checkpoints use.
Finding hdf5(const fs::path& folder) {
  if (!refusal_of_files(folder).empty()) return not_tried();
  const ScratchFile scratch(folder, "hdf5.h5");
  const std::string text = io::hdf5_version() + "; written, read back";
  try {
    auto file = io::Hdf5File::create(scratch.path);
    file.write_text("check", text);
    file.close();
    return {.text = io::Hdf5File::open_read(scratch.path).read_text("check")};
  } catch (const Error& error) {
    return {Verdict::bad, error.what(),
            "on file systems without locks set HDF5_USE_FILE_LOCKING=FALSE, or choose another "
            "run_dir"};
  }
}

Finding locking(const fs::path& folder) {
  if (!refusal_of_files(folder).empty()) return not_tried();
  const ScratchFile scratch(folder, "lock");
  const int fd = open(scratch.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const auto reason_unless = [](bool locked) {
    return locked ? std::string() : std::string(std::strerror(errno));
  };
  // A run is claimed by flock(); points of sweeps and journals are by locks of open files.
  const std::string no_flock = reason_unless(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
  if (fd >= 0) flock(fd, LOCK_UN);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  const std::string no_open_file_lock =
      reason_unless(fd >= 0 && fcntl(fd, F_OFD_SETLK, &whole) == 0);
  if (fd >= 0) close(fd);
  if (!no_flock.empty()) {
    return {Verdict::notice, no_flock,
            "never start the same run twice at once: nothing would notice"};
  }
  if (no_open_file_lock.empty()) return {.text = "works"};
  return {Verdict::notice, "not of open files: " + no_open_file_lock,
          "let one process at a time work on a sweep or an importance: nothing would notice two"};
}

Finding disk(const fs::path& folder) {
  if (const std::string refusal = refusal_of_files(folder); !refusal.empty()) {
    return {Verdict::bad, refusal, "choose a run_dir that you may write to and that has space"};
  }
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0) return {Verdict::bad, std::strerror(errno), "check it"};
  const double free =
      static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize) / kMiB;
  const std::string text = fmt::format("writable, {:.0f} MiB free in {}", free, folder.string());
  if (free >= kLowDisk) return {.text = text};
  return {Verdict::notice, text, "free some space: a full disk ends a run"};
}

// Hosts with one file system compare their times with those that it stamps on files.
Finding clock(const fs::path& folder) {
  if (!refusal_of_files(folder).empty()) return not_tried();
  const ScratchFile scratch(folder, "clock");
  write_file_atomically(scratch.path, "check");
  const auto stamped = std::chrono::file_clock::to_sys(fs::last_write_time(scratch.path));
  const std::chrono::duration<double> ahead = stamped - std::chrono::system_clock::now();
  if (std::abs(ahead.count()) < kLargeSkew) return {.text = "agrees with the file system"};
  return {
      Verdict::notice,
      fmt::format("the file system is {:.0f} s {}", std::abs(ahead.count()),
                  ahead.count() > 0 ? "ahead" : "behind"),
      "times in logs of several hosts do not compare: let chronyd or ntpd set the clocks of the "
      "hosts and of the file server"};
}

Finding gpus(const fs::path&) {
  std::vector<std::string> names;
  try {
    names = exec::cuda::visible_devices();
  } catch (const Error& error) {
    return {Verdict::notice, "a driver that this program cannot use", error.what()};
  }
  if (names.empty()) {
    if (!fs::exists("/dev/nvidia0")) return {.text = "none seen; none is needed"};
    return {Verdict::notice, "/dev/nvidia0 is there, and no driver that this program can use",
            "compare `nvidia-smi`; a build without CUDA's headers uses none"};
  }
  std::string kernels;
  try {
    kernels = exec::cuda::open_device(0)->compiler().name;
  } catch (const BadInput& error) {
    return {Verdict::notice, fmt::format("{}, not usable", fmt::join(names, ", ")), error.what()};
  }
  return {.text = fmt::format("{}: runtime.device=cuda uses them, with {}", fmt::join(names, ", "),
                              kernels)};
}

bool has_gpu() {
  try {
    return !exec::cuda::visible_devices().empty();
  } catch (const Error&) {  // as gpus() says
    return false;
  }
}

// For the sums of several ranks.
Finding nccl(const fs::path&) {
  if (!has_gpu()) return {.text = "none is needed without GPUs"};
  try {
    return {.text = fmt::format("{}: ranks with a GPU each use it", comm::nccl_version())};
  } catch (const BadInput& error) {  // trainings refuse it too
    return {Verdict::bad, "OUTERLOOP_NCCL names none that can be used", error.what()};
  } catch (const Error& error) {
    return {Verdict::notice, "none: ranks of GPUs send gradients through the hosts' memory",
            error.what()};
  }
}

Finding terminal(const fs::path&) {
  const Terminal out = detect_terminal(STDOUT_FILENO);
  if (!out.interactive) return {.text = "none: progress comes as lines"};
  return {.text = fmt::format("{} columns, {}", out.width, out.color ? "colours" : "no colours")};
}

Finding omniglot(const fs::path&) {
  try {
    return {.text = config::find_file("datasets/omniglot28.h5", "configs").string()};
  } catch (const BadInput& error) {
    return {Verdict::notice, error.what(),
            "make it with `outerloop data import omniglot`, or set OUTERLOOP_DATA to its folder's "
            "parent"};
  }
}

}  // namespace

const std::vector<Check>& doctor_checks() {
  static const std::vector<Check> checks{
      {"instructions", instructions},
      {"cores", cores},
      {"memory", memory},
      {"disk", disk},
      {"hdf5", hdf5},
      {"locking", locking},
      {"clock", clock},
      {"gpus", gpus},
      {"nccl", nccl},
      {"mpi", check_mpi},
      {"launcher", check_launcher},
      {"binding", check_binding},
      {"slurm", check_slurm},
      {"terminal", terminal},
      {"omniglot", omniglot},
  };
  return checks;
}

}  // namespace outerloop::cli
