// Which GPU ranks take, and what is said of those that nobody takes: the driver is a stand-in.

#include "train/device_choice.h"

#include <gtest/gtest.h>

#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/local.h"
#include "support/message_of.h"
#include "support/variable.h"

namespace outerloop::train {
namespace {

using testing_support::Variable;
using Strings = std::vector<std::string>;

// Of ranks on these hosts, by rank.
struct Chosen {
  Strings devices;
  std::vector<Strings> notes;
};
Chosen choose(const Strings& hosts, config::Device device = config::Device::auto_) {
  config::Config config;
  config.runtime.device = device;
  Chosen chosen{.devices = Strings(hosts.size()), .notes = std::vector<Strings>(hosts.size())};
  comm::run_ranks(hosts, [&](comm::Communicator& ranks) {
    const auto r = static_cast<size_t>(ranks.rank());
    chosen.devices[r] = name_of(choose_device(config, &ranks, &chosen.notes[r]).get());
  });
  return chosen;
}

const Strings kTwo{"Fake 0 (sm_90)", "Fake 1 (sm_90)"};

TEST(DeviceChoice, SaysThatGpusAreIdle) {
  const Variable eight("FAKE_CUDA_DEVICES", "8");
  const Chosen alone = choose({"a"});
  EXPECT_EQ(alone.devices, Strings{"Fake 0 (sm_90)"});
  EXPECT_EQ(alone.notes[0],
            Strings{"8 GPUs on a host with 1 rank, and a rank computes on one: start 8 ranks there "
                    "(--ntasks-per-node=8 under Slurm, -np 8 of one host's mpirun), or hide the "
                    "others by CUDA_VISIBLE_DEVICES"});
  EXPECT_EQ(choose({"a"}, config::Device::cuda).notes, alone.notes);
  EXPECT_EQ(choose({"a"}, config::Device::cpu).notes[0], Strings{});
}

TEST(DeviceChoice, SaysTheSameOnAllRanksOnceForHostsThatAreAlike) {
  const Variable two("FAKE_CUDA_DEVICES", "2");
  const Chosen one_each = choose({"a", "b"});
  EXPECT_EQ(one_each.devices, (Strings{kTwo[0], kTwo[0]}));
  const Chosen odd = choose({"a", "a", "b"});
  EXPECT_EQ(odd.devices, (Strings{kTwo[0], kTwo[1], kTwo[0]}));
  for (const Chosen& chosen : {one_each, odd}) {
    for (const Strings& notes : chosen.notes) {
      ASSERT_EQ(notes.size(), 1u);
      EXPECT_CONTAINS(notes[0], "2 GPUs on a host with 1 rank, ");
    }
  }
}

TEST(DeviceChoice, IsSilentWhereEachGpuHasARank) {
  const Variable two("FAKE_CUDA_DEVICES", "2");
  for (const Strings& hosts : {Strings{"a", "a"}, Strings{"a", "a", "a"}}) {
    for (const Strings& notes : choose(hosts).notes) EXPECT_EQ(notes, Strings{});
  }
}

TEST(DeviceChoice, TellsADriverThatDoesNotWorkFromNone) {
  {
    const Variable none("FAKE_CUDA_INIT", "100");
    const Chosen chosen = choose({"a"});
    EXPECT_EQ(chosen.devices, Strings{"cpu"});
    EXPECT_EQ(chosen.notes[0], Strings{});
  }
  const Variable mismatch("FAKE_CUDA_INIT", "803");
  const Chosen chosen = choose({"a", "b"});
  EXPECT_EQ(chosen.devices, (Strings{"cpu", "cpu"}));
  for (const Strings& notes : chosen.notes) {
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_CONTAINS(notes[0],
                    "runtime.device=auto takes the processor: the NVIDIA driver does not start, ");
  }
  EXPECT_CONTAINS(message_of<BadInput>([] { choose({"a"}, config::Device::cuda); }),
                  "the NVIDIA driver does not start, ");
}

}  // namespace
}  // namespace outerloop::train
