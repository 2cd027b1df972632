// What is made beforehand for a bundle is what its trainings ask for, on any GPU and several ranks.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernels/collect.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/local.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/device_connection.h"

namespace outerloop::kernels {
namespace {

KernelsByName asked_for(const config::Resolved& resolved, size_t shared_bytes, int size) {
  const train::Setup setup = train::make_training_setup(resolved);
  std::vector<KernelsByName> by_rank(static_cast<size_t>(size));
  comm::run_ranks(size, [&](comm::Communicator& ranks) {
    const auto recorder = std::make_shared<Recorder>();
    recorder->begin("a rank", shared_bytes);
    std::optional<train::DeviceConnection> between_devices;
    if (size > 1) between_devices.emplace(ranks, recorder, comm::NcclOptions{});
    ThreadPool pool(1);
    const train::MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks,
                               pool, train::compile_options(resolved.config), &ranks, recorder,
                               between_devices ? &between_devices->ranks() : nullptr);
    step.most_at_once();  // makes what steps launch
    by_rank[static_cast<size_t>(ranks.rank())] = recorder->kernels();
  });
  KernelsByName all;
  for (KernelsByName& kernels : by_rank) all.merge(kernels);
  return all;
}

// Of eight ranks, four have no slots.
TEST(CollectedKernels, AreAllThatRanksAskForOnAnyGpu) {
  const std::vector<std::string> words{"outer.meta_batch=4"};
  for (const char* name : {"sinusoid_maml_5step", "omniglot_maml"}) {
    const config::Resolved resolved =
        config::read_config(fmt::format("{}/configs/{}.yaml", OUTERLOOP_SOURCE_DIR, name), words);
    const auto recorder = std::make_shared<Recorder>();
    ASSERT_EQ(add_training(resolved, name, recorder), "");
    for (const size_t kib : {227, 163, 99, 0}) {
      for (const int size : {1, 2, 8}) {
        for (const auto& [kernel, what] : asked_for(resolved, kib * 1024, size)) {
          EXPECT_TRUE(recorder->kernels().contains(kernel))
              << name << ", " << kib << " KiB, " << size << " ranks: " << kernel;
        }
      }
    }
  }
}

}  // namespace
}  // namespace outerloop::kernels
