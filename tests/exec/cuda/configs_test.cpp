// Every kernel of every shipped config and of every record in float64, without a GPU: what is
// launched is within the limits of all GPUs, and the GPU's compiler makes code of it, without a
// warning, that fits a multiprocessor without spilling.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "data/every_family.h"
#include "exec/cuda/nvrtc.h"
#include "exec/cuda/source.h"
#include "io/temporary_folder.h"
#include "kernels/collect.h"
#include "ops/generated.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"

namespace outerloop::exec::cuda {
namespace {

struct Kernel : kernels::Kernel {
  // Of the compiler.
  int registers = 0;
  int shared_bytes = 0;
  int spilled_bytes = 0;
  std::string failure;
};

// Configs whose tables lie outside of the repository, with the sizes that inputs come from.
struct Outside {
  const char* config;
  int64_t numbers;     // feature columns that hold some
  int64_t categories;  // that the training rows have of the one other feature, or 0
};
constexpr Outside kOutside[] = {{"insteval_maml", 0, 1128},
                                {"remifentanil_maml", 4, 0},
                                {"spi_maml", 0, 135},
                                {"us_employment_maml", 10, 0}};

// A table of these sizes: a task for each split, of noise.
void write_table(const Outside& sizes, const config::Config& config,
                 const std::filesystem::path& file) {
  const config::Table& table = config.tasks.table;
  const int64_t rows = std::max<int64_t>(sizes.categories, 500);  // more than any task takes
  std::string text = fmt::format("{},{},{}", table.task, table.split, table.target);
  for (int64_t i = 0; i < sizes.numbers; ++i) text += fmt::format(",number{}", i);
  for (const std::string& name : table.categories) text += "," + name;
  for (const char* split : {"train", "val", "test"}) {
    for (int64_t row = 0; row < rows; ++row) {
      text += fmt::format("\nof {},{},{}", split, split, row % 7);
      for (int64_t i = 0; i < sizes.numbers; ++i) text += fmt::format(",{}", (row + i) % 5);
      for (size_t c = 0; c < table.categories.size(); ++c) {
        text += fmt::format(",{}", row % sizes.categories);
      }
    }
  }
  write_file_atomically(file, text + "\n");
}

config::Resolved resolved_config(const std::filesystem::path& file,
                                 const std::filesystem::path& tables) {
  const auto is_it = [&](const Outside& one) { return file.stem() == one.config; };
  const auto* const outside = std::ranges::find_if(kOutside, is_it);
  config::Resolved resolved = config::read_config(file, {});
  if (outside == std::end(kOutside)) return resolved;
  const std::filesystem::path table = tables / fmt::format("{}.csv", outside->config);
  write_table(*outside, resolved.config, table);
  const std::vector<std::string> words{"tasks.dataset=" + table.string()};
  return config::read_config(file, words);
}

// The kernels of the training and test of all configs, by name.
class Kernels {
 public:
  Kernels() {
    const TemporaryFolder tables;
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(OUTERLOOP_SOURCE_DIR "/configs")) {
      const bool trains = !entry.path().stem().string().ends_with("_importance");
      if (trains && entry.path().extension() == ".yaml") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    const auto recorder = std::make_shared<kernels::Recorder>();
    for (const std::filesystem::path& file : files) {
      const std::string name = file.stem();
      kernels::Launches launches;
      const std::string why_not =
          kernels::add_training(resolved_config(file, tables.path()), name, recorder, &launches);
      EXPECT_EQ("", why_not) << name << ": a table outside is made from its sizes in kOutside";
      launches_[name] =
          fmt::format("{}: {}\n    {}\n", name, launches.step, fmt::join(launches.calls, "\n    "));
    }
    // Data sets of configs may not be here, nor any with a table.
    for (const data::NamedFamily& drawn : data::every_family()) {
      recorder->begin("tasks: " + drawn.name, kernels::kMostShared);
      kernels::add_tasks(drawn.family, recorder);
    }
    // Configs are of float32 alone and use few of the ops.
    for (const auto& c : outerloop::testing::all_cases()) {
      const auto made = outerloop::testing::neighbourhood(c, DType::f64, 5);
      recorder->begin(made.name, kernels::kMostShared);
      kernels::add_program(made.program, recorder);
    }
    for (auto& [name, kernel] : recorder->kernels()) kernels_[name] = {std::move(kernel)};
  }

  std::map<std::string, Kernel>& all() { return kernels_; }
  // What each config launches, as in the stored table.
  const std::map<std::string, std::string>& launches() const { return launches_; }

 private:
  std::map<std::string, Kernel> kernels_;
  std::map<std::string, std::string> launches_;
};

Kernels& kernels_of_all() {
  static Kernels kernels;
  return kernels;
}

int number(const std::string& report, const std::string& pattern) {
  std::smatch found;
  return std::regex_search(report, found, std::regex(pattern)) ? std::stoi(found[1]) : 0;
}

// Of the kernel and the functions that it calls.
int sum_of_numbers(const std::string& report, const std::string& pattern) {
  const std::regex all(pattern);
  int sum = 0;
  for (std::sregex_iterator found(report.begin(), report.end(), all), end; found != end; ++found) {
    sum += std::stoi((*found)[1]);
  }
  return sum;
}

// The lines that the compiler writes about one kernel.
std::string part_about(const std::string& report, const std::string& name) {
  const std::string head = "Compiling entry function '";
  const size_t start = report.find(head + name);
  if (start == std::string::npos) return "";
  return report.substr(start, report.find(head, start + head.size()) - start);
}

void compile(const Nvrtc& nvrtc, std::span<Kernel> kernels) {
  std::vector<const KernelSource*> sources;
  for (const Kernel& kernel : kernels) sources.push_back(&kernel.source);
  std::string all, failure;
  try {
    all = nvrtc.compile(device_prelude(), sources, "sm_90").report;
    if (all.find("warning") != all.npos) failure = all;
  } catch (const std::exception& caught) {
    failure = caught.what();
  }
  for (Kernel& kernel : kernels) {
    const std::string report = part_about(all, kernel.source.name);
    kernel.failure = failure;
    kernel.registers = number(report, "Used ([0-9]+) registers");
    kernel.shared_bytes = number(report, "([0-9]+) bytes smem");
    kernel.spilled_bytes =
        sum_of_numbers(report, "([0-9]+) bytes (?:spill stores|spill loads|stack frame)");
  }
}

// `keep` is called now and then: a run that ends early has not compiled in vain.
template <class Keep>
void compile_all(const Nvrtc& nvrtc, std::map<std::string, Kernel>& kernels, Keep keep) {
  constexpr size_t kAtATime = 32;
  std::vector<Kernel*> list;
  for (auto& [name, kernel] : kernels) {
    if (kernel.registers == 0) list.push_back(&kernel);
  }
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < std::max(std::thread::hardware_concurrency(), 1U); ++i) {
    workers.emplace_back([&] {
      for (size_t k = next.fetch_add(kAtATime); k < list.size(); k = next.fetch_add(kAtATime)) {
        const auto part = std::span(list).subspan(k, std::min(kAtATime, list.size() - k));
        std::vector<Kernel> made;
        for (const Kernel* kernel : part) made.push_back(*kernel);
        compile(nvrtc, made);
        const std::lock_guard lock(mutex);
        for (size_t p = 0; p < part.size(); ++p) *part[p] = std::move(made[p]);
        keep();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
}

// What the compiler said, kept from run to run: most kernels stay as they are.
class Report {
 public:
  explicit Report(const std::string& compiler)
      : head_(
            fmt::format("# {} {}, no warnings: kernel, registers, bytes of shared memory, bytes "
                        "spilled; threads of a block, blocks, origin",
                        compiler,
                        to_hex(xxh3_64({reinterpret_cast<const std::byte*>(device_prelude().data()),
                                        device_prelude().size()})))) {}

  void read(std::map<std::string, Kernel>& kernels) const {
    std::ifstream file(kFile);
    std::string line, name;
    if (!std::getline(file, line) || line != head_) return;
    while (std::getline(file, line)) {
      std::istringstream words(line);
      Kernel known;
      words >> name >> known.registers >> known.shared_bytes >> known.spilled_bytes;
      const auto found = kernels.find(name);
      if (!words || found == kernels.end()) continue;
      found->second.registers = known.registers;
      found->second.shared_bytes = known.shared_bytes;
      found->second.spilled_bytes = known.spilled_bytes;
    }
  }

  void write(const std::map<std::string, Kernel>& kernels) const {
    std::string text = head_ + "\n";
    for (const auto& [name, k] : kernels) {
      if (!k.failure.empty() || k.registers == 0) continue;
      text += fmt::format("{} {} {} {} {} {} {}\n", name, k.registers, k.shared_bytes,
                          k.spilled_bytes, k.threads, k.blocks, k.origin);
    }
    write_file_atomically(kFile, text);
  }

 private:
  static constexpr const char* kFile = OUTERLOOP_BINARY_DIR "/cuda_kernels.txt";
  std::string head_;
};

TEST(KernelsOfConfigs, FitTheMachine) {
  Kernels& kernels = kernels_of_all();
  EXPECT_FALSE(kernels.launches().empty());
  constexpr int64_t kTimesTheMetaBatch = 32;
  const DeviceLimits limits;
  for (const auto& [name, k] : kernels.all()) {
    if (k.blocks == 0) continue;  // launched by ranks only
    EXPECT_TRUE(k.threads > 0 && k.threads % 32 == 0 && k.threads <= limits.threads_per_block)
        << k.threads << " threads\n"
        << k.source.text;
    EXPECT_LE(k.blocks * kTimesTheMetaBatch, limits.blocks) << k.source.text;
    EXPECT_LE(k.operands * sizeof(DeviceOperand), limits.argument_bytes) << k.source.text;
  }
  std::unique_ptr<const Nvrtc> nvrtc;
  try {
    nvrtc = std::make_unique<const Nvrtc>();
  } catch (const BadInput& missing) {
    GTEST_SKIP() << missing.what();
  }
  const Report report("NVRTC " + nvrtc->version() + " for sm_90");
  report.read(kernels.all());
  compile_all(*nvrtc, kernels.all(), [&] { report.write(kernels.all()); });
  constexpr int kRegistersOfMultiprocessor = 65536;
  int most_registers = 0, most_shared = 0;
  for (const auto& [name, k] : kernels.all()) {
    EXPECT_EQ("", k.failure) << k.origin;
    EXPECT_EQ(0, k.spilled_bytes) << k.origin << "\n" << k.source.text;
    EXPECT_LE(static_cast<size_t>(k.shared_bytes), limits.shared_bytes) << k.source.text;
    EXPECT_LE(k.registers * k.threads, kRegistersOfMultiprocessor) << k.source.text;
    EXPECT_GT(k.registers, 0) << "the compiler's report has changed its words";
    most_registers = std::max(most_registers, k.registers);
    most_shared = std::max(most_shared, k.shared_bytes);
  }
  std::cout << fmt::format(
      "NVRTC {}: {} kernels of {} configs and of all records for sm_90, at most {} registers and "
      "{} bytes of shared "
      "memory\n",
      nvrtc->version(), kernels.all().size(), kernels.launches().size(), most_registers,
      most_shared);
}

// Where a launch more is meant, or one less: the table that was found is beside the report.
TEST(KernelsOfConfigs, AreLaunchedAsTheTableSays) {
  std::ifstream file(OUTERLOOP_SOURCE_DIR "/tests/exec/cuda/launches.txt");
  std::map<std::string, std::string> stored;
  std::string line, name, all;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    if (!line.starts_with(' ')) name = line.substr(0, line.find(':'));
    stored[name] += line + "\n";
  }
  for (const auto& [config, launches] : kernels_of_all().launches()) {
    all += launches;
    EXPECT_EQ(stored[config], launches);
  }
  write_file_atomically(OUTERLOOP_BINARY_DIR "/cuda_launches.txt", all);
}

}  // namespace
}  // namespace outerloop::exec::cuda
