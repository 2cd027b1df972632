// What trainings are started with. A script stands in for the program.

#include "outerloop/sweep/run.h"

#include <fmt/format.h>

#include <algorithm>

#include "support/message_of.h"
#include "support/variable.h"
#include "sweep/sweep_folder.h"
#include "sweep/training.h"

namespace outerloop::sweep {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

class RunTest : public SweepTest {
 protected:
  RunOptions options(const fs::path& program, int workers) {
    RunOptions result;
    result.program = program;
    result.workers = workers;
    result.farm.log = &log_;
    return result;
  }

  Log log_;
};

// Writes down what it sees, and ends when all have.
constexpr const char* kWritesDown = R"sh(#!/bin/sh
for word; do case $word in run_dir=*) name=${{word##*/}} ;; esac; done
echo "${{CUDA_VISIBLE_DEVICES-unset}}" >"{seen}/new-$name"
mv "{seen}/new-$name" "{seen}/$name"
tries=0
until [ "$(ls "{seen}" | grep -vc new)" -ge {workers} ] || [ $((tries += 1)) -gt 1000 ]; do
  sleep 0.01
done
)sh";

class SharedGpus : public RunTest {
 protected:
  // By each of the trainings, sorted.
  Strings seen_by(int workers) {
    const fs::path seen = folder_ / fmt::format("seen{}", runs_);
    const SweepFolder sweep{folder_ / fmt::format("sweep{}", runs_++)};
    fs::create_directories(seen);
    const fs::path program = write(
        "program",
        fmt::format(kWritesDown, fmt::arg("seen", seen.string()), fmt::arg("workers", workers)));
    fs::permissions(program, fs::perms::owner_all);
    const Plan made = plan(fmt::format("seeds: {}\n", workers));
    write_plan(made, sweep);
    EXPECT_EQ(run(sweep, made, options(program, workers)).failed, workers) << "it trains nothing";
    Strings values;
    for (const auto& file : fs::directory_iterator(seen)) {
      const std::string value = read_file(file.path());
      values.push_back(value.substr(0, value.find('\n')));
    }
    std::ranges::sort(values);
    return values;
  }

 private:
  int runs_ = 0;
};

TEST_F(SharedGpus, AreTakenInTurnByTrainingsAtATime) {
  {
    const testing_support::Variable two(kVisibleGpus, "GPU-a,MIG-b");
    EXPECT_EQ(seen_by(4), (Strings{"GPU-a", "GPU-a", "MIG-b", "MIG-b"}));
    EXPECT_EQ(seen_by(1), Strings{"GPU-a,MIG-b"}) << "one at a time has them all";
  }
  const testing_support::Variable none(kVisibleGpus, "");
  EXPECT_EQ(seen_by(2), (Strings{"", ""}));
}

TEST_F(SharedGpus, AreThoseOfTheVariableElseOfTheMachine) {
  const fs::path devices = folder_ / "dev";
  fs::create_directories(devices / "nvidia-caps");
  EXPECT_EQ(shared_gpus(nullptr, devices), Strings{});
  for (const char* name : {"nvidia0", "nvidia3", "nvidia12", "nvidiactl", "nvidia-uvm", "null"}) {
    write(std::string("dev/") + name, "");
  }
  EXPECT_EQ(shared_gpus(nullptr, devices), (Strings{"0", "1", "2"}));
  EXPECT_EQ(shared_gpus("3,GPU-a", devices), (Strings{"3", "GPU-a"}));
  EXPECT_EQ(shared_gpus("", devices), Strings{});
}

TEST_F(RunTest, AFolderThatCannotBeMadeIsNamed) {
  const Plan made = plan("seeds: 2\n");
  write_plan(made, sweep_);
  write("sweep/points", "a file where a folder should be");
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { run(sweep_, made, options("/bin/true", 1)); }),
                  "sweep/points: cannot be created: ");
}

}  // namespace
}  // namespace outerloop::sweep
