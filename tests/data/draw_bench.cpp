// Prints the time of drawing one task, in nanoseconds: the median of many batches, one thread. For
// work on the families: `outerloop bench meta-step` tells drawing as a share of the step.
//
//   build/release/draw_bench [configs/datasets/omniglot28.h5]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "outerloop/data/function_families.h"
#include "outerloop/data/image_family.h"

namespace outerloop::data {
namespace {

void report(const char* name, const TaskFamily& family) {
  Episode episode(family.spec());
  const EpisodeBuffers buffers = episode.buffers();
  constexpr int kBatches = 201;
  const uint32_t tasks = family.spec().classification ? 200 : 5000;
  std::vector<double> times;
  for (int batch = 0; batch < kBatches; ++batch) {
    const auto start = std::chrono::steady_clock::now();
    for (uint32_t slot = 0; slot < tasks; ++slot) {
      family.draw({.seed = 1, .iteration = static_cast<uint64_t>(batch), .slot = slot}, buffers);
    }
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    times.push_back(time.count() / tasks);
  }
  std::ranges::sort(times);
  std::printf("%-40s %10.1f ns\n", name, times[kBatches / 2]);
}

}  // namespace
}  // namespace outerloop::data

int main(int count, char** arguments) {
  using namespace outerloop::data;
  report("sinusoid 10 + 10 points", *make_sinusoid({.shots = 10, .queries = 10}));
  report("sinusoid 5 + 5 points", *make_sinusoid({.shots = 5, .queries = 5}));
  report("harmonic 10 + 10 points", *make_harmonic({.shots = 10, .queries = 10}));
  if (count < 2) return 0;
  const auto set = std::make_shared<const ImageSet>(load_image_set(arguments[1]));
  ImageFamilyOptions turned;
  turned.rotation[0] = Rotation::per_class;
  report("omniglot 5-way 1 + 1", *make_image_family(set, {.ways = 5}));
  report("omniglot 5-way 1 + 1, turned", *make_image_family(set, {.ways = 5}, turned));
  report("omniglot 20-way 1 + 1, turned", *make_image_family(set, {.ways = 20}, turned));
  report("omniglot 5-way 5 + 15, turned",
         *make_image_family(set, {.ways = 5, .shots = 5, .queries = 15}, turned));
  return 0;
}
