// Ranks with a stand-in for a GPU each, whose work is done later, and a stand-in for NCCL between
// them: the bits of threads, what is said of the way, and how such ranks fail.

#include <fmt/format.h>

#include <cstdlib>
#include <limits>
#include <thread>
#include <tuple>

#include "comm/fake_nccl.h"
#include "exec/cuda/host_device.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"
#include "outerloop/train/bench.h"
#include "outerloop/train/device_collectives.h"
#include "train/courses.h"
#include "train/device_tasks.h"

namespace outerloop::train {
namespace {

using comm::fake_nccl::Knobs;
using testing_support::HostDevice;

// Which has kernels of its own slots alone, so that nobody asks how fast it is: all its steps go
// without the host, not only those after the first 8.
class ClosedDevice : public HostDevice {
 public:
  using HostDevice::HostDevice;
  exec::DeviceCompiler compiler() override { return {.name = "closed", .takes_any = false}; }
};

enum class Kernels { any, own };

std::shared_ptr<HostDevice> gpu_of(int rank, Kernels kernels = Kernels::own) {
  const std::string identity = fmt::format("GPU-{}", rank);
  if (kernels == Kernels::any) {
    return std::make_shared<HostDevice>(HostDevice::Work::later, identity);
  }
  return std::make_shared<ClosedDevice>(HostDevice::Work::later, identity);
}

// The library that is loaded, for as long as the object lives.
class LibraryNamed {
 public:
  explicit LibraryNamed(const char* file) { setenv("OUTERLOOP_NCCL", file, 1); }
  ~LibraryNamed() { setenv("OUTERLOOP_NCCL", OUTERLOOP_FAKE_NCCL, 1); }
};

class DeviceRanks : public Courses {
 protected:
  DeviceRanks() {
    setenv("OUTERLOOP_NCCL", OUTERLOOP_FAKE_NCCL, 1);
    comm::fake_nccl::set({});
  }
  ~DeviceRanks() override { EXPECT_EQ(comm::fake_nccl::alive(), 0); }

  // Of every rank; without the hashes, as each has those of its own slots.
  std::vector<Course> courses(const Case& c, int size, Kernels kernels = Kernels::own) const {
    std::vector<Course> result(static_cast<size_t>(size));
    comm::run_ranks(size, [&](comm::Communicator& ranks) {
      comm::fake_nccl::use_gpu(ranks.rank());
      result[static_cast<size_t>(ranks.rank())] = course(c, gpu_of(ranks.rank(), kernels), &ranks);
    });
    for (Course& got : result) got.hashes.clear();
    return result;
  }

  void expect_course_of_threads(const Case& c, int size, Kernels kernels = Kernels::own) const {
    const Course alone = course(c, nullptr);
    for (const Course& got : courses(c, size, kernels)) {
      expect_equal(got, alone, fmt::format("{}, one of {} ranks", c.name, size));
      EXPECT_EQ(got.way, size == 1 ? "" : "nccl " + comm::nccl_version());
    }
  }

  // What each rank's training threw; empty where it ended well.
  std::vector<std::string> trained(const config::Resolved& resolved,
                                   const std::vector<std::string>& gpus,
                                   const TrainOptions& settings = {}) const {
    std::vector<std::string> messages(gpus.size());
    comm::run_ranks(static_cast<int>(gpus.size()), [&](comm::Communicator& ranks) {
      const auto rank = static_cast<size_t>(ranks.rank());
      comm::fake_nccl::use_gpu(ranks.rank());
      TrainOptions options = settings;
      options.ranks = &ranks;
      options.device = std::make_shared<ClosedDevice>(HostDevice::Work::later, gpus[rank]);
      if (rank != 0) options.log = nullptr;
      try {
        train(resolved, options);
      } catch (const std::exception& error) {
        const bool agreed = dynamic_cast<const comm::Agreed*>(&error) != nullptr;
        messages[rank] = (agreed ? "agreed: " : "") + std::string(error.what());
      }
    });
    return messages;
  }

  config::Resolved short_run(const std::string& name, const Words& words = {}) const {
    return shipped("sinusoid_maml", folder_ / name,
                   tiny() +
                       Words{"outer.iterations=6", "log.every_iterations=2", "validation.every=0",
                             "test.tasks=0", "report.write=false", "runtime.threads=1"} +
                       words);
  }
  nlohmann::json manifest_of(const std::string& name) const {
    return nlohmann::json::parse(read_file(RunFolder{folder_ / name}.manifest()));
  }
};

TEST_F(DeviceRanks, GiveTheBitsOfThreads) {
  for (const int size : {1, 2, 3, 4}) {
    for (const char* tasks : {"3", "8"}) {
      expect_course_of_threads(
          {fmt::format("{} tasks", tasks), "sinusoid_maml",
           tiny() + Words{"runtime.self_check=2", fmt::format("outer.meta_batch={}", tasks)}},
          size);
    }
  }
}

// The first 8 steps tell how fast they are, the next ones go without the host, but the 10th, which
// is checked; more than they take at once.
TEST_F(DeviceRanks, GoOnAsTheyWereOnceTheyAreMeasured) {
  expect_course_of_threads({"measured", "sinusoid_maml",
                            tiny() + Words{"runtime.self_check=10", "outer.meta_batch=5"}, 30},
                           2, Kernels::any);
}

// The settings change with the epochs.
TEST_F(DeviceRanks, TakeTheWeightsOfTheirEpoch) {
  expect_course_of_threads(
      {"per-step rates", "omniglot_mamlpp",
       images() + Words{"inner.steps=2", "outer.epoch=2", "learner.multi_step_loss_epochs=3"}, 5},
      2);
}

// From the third step on nothing counts, and no update is made.
TEST_F(DeviceRanks, MakeNoUpdateWhereNoSlotCounts) {
  const Case c{"nothing counts", "sinusoid_maml",
               tiny() + Words{"outer.optimizer=sgd", "outer.rate=1e25"}, 6};
  const Course alone = course(c, nullptr);
  EXPECT_LT(alone.updates, 6);
  EXPECT_GT(alone.updates, 0);
  for (const int size : {2, 3}) expect_course_of_threads(c, size);
}

// So many parameters that they travel in groups.
TEST_F(DeviceRanks, SendSeveralGroups) {
  expect_course_of_threads(
      {"groups",
       "sinusoid_maml",
       {"model.hidden=[130, 130, 130]", "tasks.shots=3", "tasks.queries=4", "outer.meta_batch=3"},
       2},
      2);
}

// Now these, now those, and once all.
TEST_F(DeviceRanks, LeaveOutTheSlotsThatThreadsLeaveOut) {
  hook_ = [](int64_t iteration, int64_t slot, int64_t first, std::span<float> part) {
    const bool bad = iteration == 3 || (iteration > 0 && slot == 2 * iteration % 5);
    if (bad && first == 0) part[0] = std::numeric_limits<float>::quiet_NaN();
  };
  const Case c{"left out", "sinusoid_maml", tiny(), 6};
  EXPECT_EQ(course(c, nullptr).partly_left_out, 4);
  for (const int size : {2, 3}) expect_course_of_threads(c, size);
}

// A sum of two has one order.
TEST_F(DeviceRanks, AddFastByTheLibrary) {
  const Words fast{"runtime.reduction=fast"};
  expect_course_of_threads({"fast", "sinusoid_maml", tiny() + fast + Words{"outer.meta_batch=2"}},
                           2);
  hook_ = [](int64_t, int64_t slot, int64_t first, std::span<float> part) {
    if (slot == 1 && first == 0) part[0] = std::numeric_limits<float>::infinity();
  };
  expect_course_of_threads(
      {"fast, left out", "sinusoid_maml", tiny() + fast + Words{"outer.meta_batch=3"}}, 3);
}

TEST_F(DeviceRanks, SendNoGradientsThroughTheHost) {
  for (const char* reduction : {"ordered", "fast"}) {
    SCOPED_TRACE(reduction);
    const config::Resolved resolved =
        shipped("sinusoid_maml", folder_ / "run",
                tiny() + Words{"model.hidden=[60, 60]", "outer.meta_batch=2", "runtime.threads=1",
                               fmt::format("runtime.reduction={}", reduction)});
    const train::Setup setup = make_setup(resolved.config, resolved.folder);
    comm::run_ranks(2, [&](comm::Communicator& ranks) {
      comm::fake_nccl::use_gpu(ranks.rank());
      const auto device = gpu_of(ranks.rank());
      DeviceConnection between_devices(ranks, device, {});
      ThreadPool pool(1);
      MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks, pool, {},
                    &ranks, device, &between_devices.ranks());
      step.run(0);
      step.run(1);
      const size_t bytes = device->copied_bytes(), allocations = device->allocations();
      step.run(2);
      EXPECT_LT(device->copied_bytes() - bytes, sizeof(float) * 60 * 60);
      EXPECT_EQ(device->allocations() - allocations, 0u);
      between_devices.ranks().finish();
    });
  }
}

// Several steps, of ranks with slots and without. Each is a graph before the sum and one after it.
TEST_F(DeviceRanks, WaitOnceForManyStepsAndAllocateNothing) {
  for (const char* reduction : {"ordered", "fast"}) {
    SCOPED_TRACE(reduction);
    const config::Resolved resolved =
        shipped("sinusoid_maml", folder_ / "run",
                tiny() + Words{"outer.meta_batch=2", "runtime.threads=1",
                               fmt::format("runtime.reduction={}", reduction)});
    const train::Setup setup = make_setup(resolved.config, resolved.folder);
    comm::run_ranks(3, [&](comm::Communicator& ranks) {
      comm::fake_nccl::use_gpu(ranks.rank());
      const auto device = std::make_shared<ClosedDevice>(HostDevice::Work::later,
                                                         fmt::format("GPU-{}", ranks.rank()));
      DeviceConnection between_devices(ranks, device, {});
      ThreadPool pool(1);
      MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks, pool, {},
                    &ranks, device, &between_devices.ranks());
      ASSERT_GE(step.most_at_once(), 9);
      int64_t told_of = 0;
      const auto told = [&](int64_t, const MetaStepResult& result) {
        EXPECT_EQ(result.nonfinite, 0);
        ++told_of;
      };
      step.run(0, 9, told);
      const size_t waits = device->waits(), allocations = device->allocations();
      const size_t graphs = device->graphs(), copied = device->copied_bytes();
      step.run(9, 9, told);
      EXPECT_EQ(device->waits() - waits, 1u);
      EXPECT_EQ(device->allocations() - allocations, 0u);
      EXPECT_EQ(device->graphs() - graphs, 18u);
      EXPECT_LT(device->copied_bytes() - copied, 9 * sizeof(float) * 200);
      EXPECT_EQ(told_of, 18);
      between_devices.ranks().finish();
    });
  }
}

TEST_F(DeviceRanks, TrainTheCheckpointOfTheCpuAndSayHow) {
  train::train(short_run("cpu"), {});
  EXPECT_EQ(trained(short_run("nccl"), {"GPU-a", "GPU-b", "GPU-c"}), std::vector<std::string>(3));
  EXPECT_EQ(trained(short_run("mpi"), {"GPU-a", "GPU-b", "GPU-a"}), std::vector<std::string>(3));
  for (const char* name : {"nccl", "mpi"}) {
    EXPECT_TRUE(
        same_checkpoints(newest_checkpoint(folder_ / "cpu"), newest_checkpoint(folder_ / name)));
    EXPECT_EQ(lasting_metrics(folder_ / "cpu"), lasting_metrics(folder_ / name));
  }
  EXPECT_EQ(manifest_of("cpu").at("sums_by"), "none");
  EXPECT_EQ(manifest_of("nccl").at("sums_by"), "nccl " + comm::nccl_version());
  EXPECT_EQ(manifest_of("mpi").at("sums_by"), "mpi");
}

TEST_F(DeviceRanks, AreMeasuredWithTheWayOfTheirSums) {
  for (const auto& [name, gpus, way] :
       std::vector<std::tuple<std::string, std::vector<std::string>, std::string>>{
           {"apart", {"GPU-a", "GPU-b"}, "nccl " + comm::nccl_version()},
           {"shared", {"GPU-a", "GPU-a"}, "mpi"}}) {
    SCOPED_TRACE(name);
    const config::Resolved resolved = short_run(name);
    comm::run_ranks(2, [&](comm::Communicator& ranks) {
      comm::fake_nccl::use_gpu(ranks.rank());
      const auto device = std::make_shared<HostDevice>(HostDevice::Work::later,
                                                       gpus[static_cast<size_t>(ranks.rank())]);
      const MetaStepBench bench =
          bench_meta_step(resolved, {.seconds = 0.01, .device = device}, ranks);
      EXPECT_EQ(bench.sums_by, way);
      const nlohmann::json json = nlohmann::json::parse(to_json_text(bench));
      EXPECT_EQ(json.at("sums_by"), way);
      EXPECT_EQ(json.at("share").size(), 1u) << "the host makes nothing";
      EXPECT_NE(describe(bench).find("sums by " + way), std::string::npos);
    });
  }
}

// Every kind checks its own result; the sizes are no whole number of parts.
TEST_F(DeviceRanks, AreMeasuredByCollectivesOfEverySize) {
  for (const auto& [gpus, way] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"GPU-a", "GPU-b"}, "nccl " + comm::nccl_version()},
           {{"GPU-a", "GPU-b", "GPU-c"}, "nccl " + comm::nccl_version()},
           {{"GPU-a", "GPU-a"}, "mpi"}}) {
    const auto size = static_cast<int>(gpus.size());
    SCOPED_TRACE(fmt::format("{} ranks, {}", size, way));
    comm::run_ranks(size, [&](comm::Communicator& ranks) {
      comm::fake_nccl::use_gpu(ranks.rank());
      const DeviceCollectives found = measure_device_collectives(
          ranks, {.least_bytes = 75'004, .most_bytes = 300'016, .seconds = 1e-4},
          std::make_shared<HostDevice>(HostDevice::Work::later,
                                       gpus[static_cast<size_t>(ranks.rank())]));
      EXPECT_EQ(found.device, "host");
      EXPECT_EQ(found.sums_by, way);
      EXPECT_EQ(found.note.empty(), way != "mpi");
      ASSERT_EQ(found.speeds.size(), 8u) << "four kinds of two sizes";
      for (const comm::CollectiveSpeed& speed : found.speeds) {
        const double sums = speed.what.ends_with("sum") ? 2 : 1;
        EXPECT_NEAR(speed.busbw / speed.algbw, sums * (size - 1) / size, 1e-9) << speed.what;
      }
      EXPECT_GT(found.fraction_of_bus("ordered sum"), 0);
      EXPECT_EQ(found.fraction_of_bus("all_to_all"), 1);
    });
  }
}

TEST_F(DeviceRanks, NoteOnceThatTheyShareAGpu) {
  Log log;
  std::vector<std::string> notes;
  log.add(LogLevel::info, [&](LogLevel, std::string_view message) { notes.emplace_back(message); });
  trained(short_run("shared"), {"GPU-a", "GPU-b", "GPU-a"}, {.log = &log});
  EXPECT_EQ(1, std::ranges::count_if(notes, [](const std::string& note) {
              return note.find("ranks 0 and 2 share GPU-a on ") == 0;
            }));
  notes.clear();
  trained(short_run("apart"), {"GPU-a", "GPU-b", "GPU-c"}, {.log = &log});
  for (const std::string& note : notes) EXPECT_EQ(note.find("share"), note.npos) << note;
}

TEST_F(DeviceRanks, SayThatTheLibraryIsMissing) {
  {
    const LibraryNamed nowhere("/nowhere/libnccl.so.2");
    for (const std::string& message : trained(short_run("named"), {"GPU-a", "GPU-b"})) {
      EXPECT_EQ(message.find("agreed: NCCL cannot be loaded (/nowhere/libnccl.so.2: cannot open"),
                0u)
          << message;
    }
  }
  const LibraryNamed nothing("");
  Log log;
  std::string notes;
  log.add(LogLevel::warning,
          [&](LogLevel, std::string_view message) { notes += std::string(message) + "\n"; });
  EXPECT_EQ(trained(short_run("missing"), {"GPU-a", "GPU-b"},
                    {.log = &log, .nccl = {.library = "libnowhere.so.2"}}),
            std::vector<std::string>(2));
  EXPECT_EQ(notes.find("NCCL cannot be loaded (libnowhere.so.2: cannot open"), 0u) << notes;
  EXPECT_EQ(manifest_of("missing").at("sums_by"), "mpi");
}

TEST_F(DeviceRanks, FailTogetherWhereADeviceCannotBegin) {
  struct Full : HostDevice {
    exec::DeviceStream make_stream() override { throw SystemFailure("no stream"); }
  };
  comm::run_ranks(3, [](comm::Communicator& ranks) {
    const std::shared_ptr<exec::Device> device =
        ranks.rank() == 1 ? std::make_shared<Full>() : std::make_shared<HostDevice>();
    try {
      DeviceConnection(ranks, device, {});
      ADD_FAILURE() << "connected";
    } catch (const comm::AgreedFailure& error) {
      EXPECT_EQ(error.what(), fmt::format("rank 1 on {}: no stream", ranks.hosts().front()));
    }
  });
}

// Takes a while over each task that it draws.
class SlowDevice : public HostDevice {
 public:
  SlowDevice(std::chrono::milliseconds of_a_task, bool takes_any)
      : of_a_task_(of_a_task), takes_any_(takes_any) {}
  exec::DeviceCompiler compiler() override { return {.name = "slow", .takes_any = takes_any_}; }
  void launch(const exec::DeviceStream& stream, const exec::DeviceFunction& function,
              int64_t blocks, int threads, std::span<const exec::DeviceOperand> operands) override {
    HostDevice::launch(stream, function, blocks, threads, operands);
    if (operands.size() != DeviceTasks::kOperands) return;
    enqueue(stream, [this, blocks] {
      tasks_ += blocks;
      std::this_thread::sleep_for(of_a_task_ * blocks);
    });
  }
  void launch(const exec::DeviceStream& stream, const exec::DeviceGraph& graph) override {
    HostDevice::launch(stream, graph);
  }
  int64_t tasks() const { return tasks_; }

 private:
  std::chrono::milliseconds of_a_task_;
  bool takes_any_;
  int64_t tasks_ = 0;
};

// Through the hosts' memory a rank waits where it sends, which is no work of its own. Other slots
// ask for other kernels, which a rank may not have.
TEST_F(DeviceRanks, GetSlotsByTheirSpeedWhereTheyHaveAnyKernel) {
  using namespace std::chrono_literals;
  const config::Resolved resolved = shipped(
      "sinusoid_maml", folder_ / "run", tiny() + Words{"outer.meta_batch=8", "runtime.threads=1"});
  const train::Setup setup = make_setup(resolved.config, resolved.folder);
  for (const bool any_kernel : {true, false}) {
    comm::run_ranks(2, [&](comm::Communicator& ranks) {
      const bool slow = ranks.rank() == 1;
      const auto device = std::make_shared<SlowDevice>(slow ? 60ms : 10ms, any_kernel || slow);
      DeviceConnection between_devices(ranks, device, {});
      EXPECT_EQ(between_devices.way(), "mpi");
      ThreadPool pool(1);
      MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks, pool, {},
                    &ranks, device, &between_devices.ranks());
      for (int i = 0; i < 11; ++i) step.run(i);
      const int64_t before = device->tasks();
      step.run(11);
      const int64_t drawn = device->tasks() - before;
      EXPECT_EQ(drawn < 4, any_kernel && slow) << drawn << " of 8";
      EXPECT_EQ(drawn > 4, any_kernel && !slow) << drawn << " of 8";
    });
  }
}

struct Broken {
  std::string name;
  Knobs knobs;
  std::chrono::milliseconds stall;
  const char* said;
};

// The GPU of rank 1 hangs or fails in the midst of a run.
TEST_F(DeviceRanks, EndTogetherWhenAGpuDoesNot) {
  using namespace std::chrono_literals;
  for (const Broken& c : std::vector<Broken>{
           {"hangs", {.broken_rank = 1, .broken_from = 5, .error = ncclSuccess}, 2s, " for 2 s"},
           {"fails", {.broken_rank = 1, .broken_from = 5}, 60s, "rank 1 on "}}) {
    SCOPED_TRACE(c.name);
    comm::fake_nccl::set(c.knobs);
    const auto messages = trained(short_run(c.name), {"GPU-a", "GPU-b", "GPU-c"},
                                  {.nccl = {.stall = c.stall, .answer = 500ms}});
    for (const std::string& message : messages) {
      EXPECT_NE(message.find(c.said), message.npos) << message;
      EXPECT_NE(message.find("'meta-gradient"), message.npos) << message;
    }
    EXPECT_EQ(comm::fake_nccl::alive(), 0);
  }
}

// The others' sums are under way by then, and their memory goes.
TEST_F(DeviceRanks, AreReleasedByOneThatFailsOtherwise) {
  hook_ = [](int64_t iteration, int64_t slot, int64_t, std::span<float>) {
    if (iteration != 1 || slot != 4) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    throw BadInput("no more");
  };
  const Case c{"fails", "sinusoid_maml", tiny()};
  EXPECT_THROW(courses(c, 3), BadInput);
}

}  // namespace
}  // namespace outerloop::train
