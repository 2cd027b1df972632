#include "sweep/training.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>
#include <system_error>

#include "outerloop/base/error.h"

namespace outerloop::sweep {
namespace {

// That a worker hears, and a training.
constexpr std::array kStopSignals{SIGINT, SIGTERM, SIGUSR1};

constexpr int kNotStarted = 127;  // as of a shell that finds no such program

// "nvidia0", not "nvidiactl" or "nvidia-uvm".
bool is_gpu(std::string_view device) {
  constexpr std::string_view kPrefix = "nvidia";
  return device.size() > kPrefix.size() && device.starts_with(kPrefix) &&
         device.find_first_not_of("0123456789", kPrefix.size()) == device.npos;
}

bool redirect(const char* file, int flags, int descriptor) {
  const int opened = ::open(file, flags, 0666);
  return opened >= 0 && ::dup2(opened, descriptor) >= 0;
}

// In the new process; never returns.
[[noreturn]] void become(const std::filesystem::path& program, std::vector<char*> argv,
                         const std::filesystem::path& errors, int lock, const Share& share,
                         pid_t worker, const sigset_t& earlier_mask) {
  // A stop that came since the fork ends this process, not the worker's hearing of it.
  for (const int signal : kStopSignals) ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &earlier_mask, nullptr);
  // A worker that is killed leaves no training behind: it stops with a checkpoint.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != worker) ::_exit(kNotStarted);
  // Ctrl-C in the terminal is for the worker, which then asks its trainings.
  ::setpgid(0, 0);
  // Under mpirun or srun the worker is a rank; its trainings are programs of their own.
  for (const char* name :
       {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "SLURM_STEP_NUM_TASKS"}) {
    ::unsetenv(name);
  }
  if (!share.gpu.empty()) ::setenv(kVisibleGpus, share.gpu.c_str(), 1);
  ::fcntl(lock, F_SETFD, 0);
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  for (const int core : share.cores) CPU_SET(core, &allowed);
  ::sched_setaffinity(0, sizeof(allowed), &allowed);
  if (redirect("/dev/null", O_RDONLY, 0) && redirect("/dev/null", O_WRONLY, 1) &&
      redirect(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 2)) {
    ::execv(program.c_str(), argv.data());
  }
  const std::string why =
      fmt::format("error: cannot start {}: {}\n", program.string(), std::strerror(errno));
  [[maybe_unused]] const auto written = ::write(2, why.data(), why.size());
  ::_exit(kNotStarted);
}

}  // namespace

std::vector<std::string> shared_gpus(const char* visible, const std::filesystem::path& devices) {
  std::vector<std::string> gpus;
  if (visible != nullptr) {
    std::istringstream entries(visible);
    for (std::string entry; std::getline(entries, entry, ',');) {
      if (!entry.empty()) gpus.push_back(entry);
    }
    return gpus;
  }
  std::error_code none;
  for (const auto& device : std::filesystem::directory_iterator(devices, none)) {
    if (is_gpu(device.path().filename().string())) gpus.push_back(std::to_string(gpus.size()));
  }
  return gpus;
}

Training::Training(const SweepFolder& folder, const Point& point, int lock,
                   const std::filesystem::path& program, const std::vector<std::string>& words,
                   const Share& share) {
  std::vector<char*> argv{const_cast<char*>("outerloop")};
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const std::filesystem::path errors = folder.errors(point);
  const pid_t worker = ::getpid();
  sigset_t stops, earlier_mask;
  ::sigemptyset(&stops);
  for (const int signal : kStopSignals) ::sigaddset(&stops, signal);
  ::pthread_sigmask(SIG_BLOCK, &stops, &earlier_mask);
  process_ = ::fork();
  if (process_ == 0) become(program, argv, errors, lock, share, worker, earlier_mask);
  ::pthread_sigmask(SIG_SETMASK, &earlier_mask, nullptr);
  if (process_ < 0) {
    throw SystemFailure(fmt::format("cannot start a process: {}", std::strerror(errno)));
  }
}

Training::~Training() {
  if (process_ <= 0) return;
  ask_to_stop();
  ::waitpid(process_, nullptr, 0);
}

void Training::ask_to_stop() const {
  ::kill(process_, SIGTERM);
}

std::optional<Ended> Training::poll() {
  int status = 0;
  if (::waitpid(process_, &status, WNOHANG) != process_) return std::nullopt;
  process_ = 0;
  Ended ended;
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  return ended;
}

std::string first_error(const std::string& said) {
  std::istringstream lines(said);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("error:")) return line;
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace outerloop::sweep
