// Trainings under the MPI launcher give the same bytes on any number of ranks and threads, and of
// ranks that share a GPU.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/mpi_training.h"
#include "exec/cuda/test_device.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

struct BytesCase {
  std::string name;
  std::string config;
  Words words;
};

void PrintTo(const BytesCase& c, std::ostream* out) {
  *out << c.name;
}

// Meta-batches that no number of ranks divides.
std::vector<BytesCase> cases() {
  const Words few{"validation.tasks=5", "test.tasks=9",           "outer.meta_batch=7",
                  "validation.every=4", "log.every_iterations=3", "report.write=false"};
  const Words images =
      few + Words{"model.filters=6", "outer.schedule=constant", "outer.iterations=5"};
  return {
      {"sinusoid", "sinusoid_maml_5step", few + Words{"outer.iterations=30"}},
      {"conv4", "omniglot_maml", images},
      {"reptile", "omniglot_reptile", images + Words{"inner.steps=3", "test.steps=3"}},
      {"implicit", "omniglot_imaml", images + Words{"inner.steps=3", "test.steps=3"}},
  };
}

class MpiRun : public testing::TestWithParam<BytesCase> {
 protected:
  TemporaryFolder folder_;
};

TEST_P(MpiRun, GivesTheSameBytesOnAnyRanksAndThreads) {
  const BytesCase& c = GetParam();
  const fs::path one = folder_ / "one";
  train::train(train::shipped(c.config, one, c.words + Words{"runtime.threads=1"}), {});
  const bool on_gpu = testing_support::on_gpu();
  const Words device{on_gpu ? "runtime.device=cuda" : "runtime.device=cpu"};
  for (const int ranks : on_gpu ? std::vector{1, 2, 3} : std::vector{1, 2, 3, 4, 5, 8}) {
    for (const int threads : {1, 2}) {
      const fs::path run = folder_ / fmt::format("{}x{}", ranks, threads);
      const Ended ended =
          train_on(ranks, c.config, run,
                   c.words + device + Words{fmt::format("runtime.threads={}", threads)});
      ASSERT_EQ(ended.code, 0) << ended.error;
      EXPECT_TRUE(same_checkpoints(newest_checkpoint(one), newest_checkpoint(run))) << run;
      EXPECT_EQ(lasting_metrics(one), lasting_metrics(run)) << run;
      EXPECT_EQ(lasting_summary(one), lasting_summary(run)) << run;
      EXPECT_EQ(read_file(one / "hashes.bin"), read_file(run / "hashes.bin")) << run;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, MpiRun, testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace outerloop::cli
