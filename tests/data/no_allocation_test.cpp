// Drawing tasks allocates nothing: proved by counting every operator new of the program.

#include <gtest/gtest.h>

#include <memory>

#include "data/image_sets.h"
#include "outerloop/data/function_families.h"
#include "outerloop/data/image_family.h"
#include "support/counting_new.h"

namespace outerloop::data {
namespace {

using testing_support::allocations;

long allocations_of_draws(const TaskFamily& family) {
  Episode episode(family.spec());
  const EpisodeBuffers buffers = episode.buffers();
  const long before = allocations;
  for (uint32_t slot = 0; slot < 20; ++slot) family.draw({.seed = 1, .slot = slot}, buffers);
  return allocations - before;
}

TEST(Draw, TheCounterCounts) {
  const long before = allocations;
  const auto one = std::make_unique<int>(1);
  EXPECT_EQ(allocations - before, *one);
}

TEST(Draw, AllocatesNothing) {
  const EpisodeShape points{.shots = 10, .queries = 10, .minibatch_steps = 2, .minibatch_rows = 3};
  EXPECT_EQ(allocations_of_draws(*make_sinusoid(points)), 0);
  EXPECT_EQ(allocations_of_draws(*make_harmonic(points, {.noise = 0.1F})), 0);

  const auto set = std::make_shared<const ImageSet>(small_set());
  ImageFamilyOptions options;
  options.rotation[0] = Rotation::per_class;
  options.within_group = true;
  const EpisodeShape images{
      .ways = 5, .shots = 2, .queries = 2, .minibatch_steps = 2, .minibatch_rows = 3};
  EXPECT_EQ(allocations_of_draws(*make_image_family(set, images, options)), 0);
}

}  // namespace
}  // namespace outerloop::data
