// The conformance cases on the ranks that an MPI launcher started, or on one where none did.

#include "outerloop/comm/mpi.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "comm/conformance.h"
#include "outerloop/comm/slot_reduction.h"

namespace outerloop::comm {

long allocations();  // so far

namespace {

World* world = nullptr;

TEST(MpiWorld, HasTheRanksThatWereStarted) {
  const char* expected = std::getenv("OUTERLOOP_EXPECTED_RANKS");
  if (expected == nullptr) return;
  EXPECT_EQ(std::to_string(world->ranks().size()), expected)
      << "is the launcher of the MPI library that is linked, " << mpi_version() << "?";
}

class Mpi : public testing::TestWithParam<ConformanceCase> {};

// A failure on any rank is one on all.
TEST_P(Mpi, Conforms) {
  Communicator& ranks = world->ranks();
  try {
    GetParam().run(ranks);
  } catch (const std::exception& error) {
    // The ranks are no longer in step.
    std::fprintf(stderr, "[rank %d] %s: %s\n", ranks.rank(), GetParam().name, error.what());
    ranks.abort(1);
  }
  int64_t failing = HasFailure() ? ranks.rank() : ranks.size();
  ranks.all_reduce("test result", std::span(&failing, 1), Reduction::min);
  if (failing < ranks.size() && !HasFailure()) FAIL() << "it failed on rank " << failing;
}

std::string name_of(const testing::TestParamInfo<ConformanceCase>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(verbs, Mpi, testing::ValuesIn(verb_cases().begin(), verb_cases().end()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(agreement, Mpi,
                         testing::ValuesIn(agreement_cases().begin(), agreement_cases().end()),
                         name_of);

INSTANTIATE_TEST_SUITE_P(reduction, Mpi,
                         testing::ValuesIn(reduction_cases().begin(), reduction_cases().end()),
                         name_of);

TEST(MpiSlotReduction, AllocatesNothingInTheLongRun) {
  Communicator& ranks = world->ranks();
  ThreadPool pool(1);
  const std::vector<Range> groups{{0, 480}, {480, 2000}};
  SlotReduction reduction(ranks, pool, groups);
  std::vector<Range> slots;
  for (int r = 0; r < ranks.size(); ++r) slots.push_back({3 * r, 3 * r + 3});
  reduction.deal(slots);
  const Range own = slots[static_cast<size_t>(ranks.rank())];
  SlotAccumulator sums(2000, own.first, own.end);
  const std::vector<float> leaf(2000, 1.0f);
  std::vector<float> total(2000);
  const auto step = [&] {
    sums.clear();
    for (int64_t slot = own.first; slot < own.end; ++slot) {
      slot % 2 == 0 ? sums.add(slot, leaf) : sums.skip(slot);
    }
    for (size_t g = 0; g < groups.size(); ++g) reduction.begin(g, sums.nodes());
    return reduction.finish(total);
  };
  for (int i = 0; i < 3; ++i) step();
  const long before = allocations();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(step());
  EXPECT_EQ(allocations() - before, 0);
  EXPECT_EQ(total.front(), static_cast<float>((3 * ranks.size() + 1) / 2));
}

// Says on stderr which rank a failure is from.
class FailurePrinter : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "[rank %d] %s:%d: %s\n", world->ranks().rank(), result.file_name(),
                 result.line_number(), result.message());
  }
};

int run(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // Pieces of an odd size, so that the longer messages of the cases are cut.
  World the_world({.chunk_bytes = 1001});
  world = &the_world;
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (world->ranks().rank() > 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter);
  }
  const int result = RUN_ALL_TESTS();
  world->finish();
  return result;
}

}  // namespace
}  // namespace outerloop::comm

int main(int argc, char** argv) {
  return outerloop::comm::run(argc, argv);
}
