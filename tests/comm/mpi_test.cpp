// The conformance cases on the ranks that an MPI launcher started, or on one where none did.

#include "outerloop/comm/mpi.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "comm/conformance.h"

namespace outerloop::comm {
namespace {

World* world = nullptr;

class Mpi : public testing::TestWithParam<ConformanceCase> {};

// A failure on any rank is one on all.
TEST_P(Mpi, conforms) {
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
