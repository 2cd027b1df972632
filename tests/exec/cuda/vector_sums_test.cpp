// Sums in an order that is asked for: that of a stack on the host, bit by bit.

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "exec/cuda/test_device.h"
#include "outerloop/exec/cuda_vector_sums.h"

namespace outerloop::exec::cuda {
namespace {

struct VectorCase {
  const char* name;
  int64_t elements;
  std::vector<int64_t> additions;  // after each vector
  std::vector<float> counts;
};

const std::vector<VectorCase> kVectorCases{
    {"none", 70, {}, {}},
    {"one vector", 70, {0}, {3}},
    {"one that is absent", 70, {0}, {0}},
    {"in turn", 1000, {0, 1, 1, 1}, {1, 1, 1, 1}},
    {"some in turn", 1000, {0, 1, 1, 1}, {0, 1, 0, 2}},
    {"a tree", 1000, {0, 1, 0, 2, 0, 1, 2}, {1, 2, 3, 4, 5, 6, 7}},
    {"a tree with holes", 1000, {0, 1, 0, 2, 0, 1, 2}, {1, 0, 0, 4, 0, 0, 0}},
    {"a tree of nothing", 1000, {0, 1, 0, 2, 0, 1, 2}, {0, 0, 0, 0, 0, 0, 0}},
    {"the last two first", 513, {0, 0, 0, 0, 4}, {1, 1, 1, 1, 1}},
    {"the last two first, the others absent", 513, {0, 0, 0, 0, 4}, {0, 1, 0, 1, 1}},
};

class VectorSum : public ::testing::Test {
 protected:
  DeviceMemory on_device(size_t elements) { return device_->allocate(elements * sizeof(float)); }
  static float* floats(const DeviceMemory& memory) { return reinterpret_cast<float*>(memory.data); }

  std::vector<float> downloaded(const DeviceMemory& memory) {
    std::vector<float> values(memory.bytes / sizeof(float));
    device_->download(stream_, std::as_writable_bytes(std::span(values)), memory.data);
    device_->synchronize(stream_);
    return values;
  }

  std::shared_ptr<Device> device_ = testing_support::test_device();
  DeviceStream stream_ = device_->make_stream();
};

std::vector<float> drawn(size_t elements, size_t seed) {
  std::vector<float> values(elements);
  for (size_t i = 0; i < elements; ++i) {
    values[i] = std::sin(static_cast<float>(1 + seed) * static_cast<float>(1 + i)) * 1e3F;
  }
  return values;
}

std::vector<float> by_definition(const VectorCase& c,
                                 const std::vector<std::vector<float>>& vectors) {
  std::vector<std::vector<float>> stack;  // empty: absent
  for (size_t t = 0; t < vectors.size(); ++t) {
    stack.push_back(c.counts[t] != 0 ? vectors[t] : std::vector<float>());
    for (int64_t a = 0; a < c.additions[t]; ++a) {
      const std::vector<float> upper = std::move(stack.back());
      stack.pop_back();
      if (stack.back().empty()) stack.back().resize(upper.size(), -0.0F);
      for (size_t i = 0; i < upper.size(); ++i) stack.back()[i] += upper[i];
    }
  }
  const bool is_there = !stack.empty() && !stack.back().empty();
  return is_there ? stack.back() : std::vector<float>(static_cast<size_t>(c.elements));
}

TEST_F(VectorSum, IsMadeInTheOrderThatIsAskedFor) {
  VectorSums sums(device_, kVectorCases.size());
  for (size_t number = 0; number < kVectorCases.size(); ++number) {
    const VectorCase& c = kVectorCases[number];
    SCOPED_TRACE(c.name);
    const auto elements = static_cast<size_t>(c.elements);
    std::vector<std::vector<float>> vectors;
    std::vector<DeviceMemory> memory;
    const DeviceMemory counts = on_device(c.counts.size()), count = on_device(1);
    if (!c.counts.empty()) {
      device_->upload(stream_, counts.data, std::as_bytes(std::span(c.counts)));
    }
    const float all = std::accumulate(c.counts.begin(), c.counts.end(), 0.0F);
    std::vector<SumTerm> terms;
    for (size_t t = 0; t < c.additions.size(); ++t) {
      vectors.push_back(drawn(elements, t));
      memory.push_back(on_device(elements));
      device_->upload(stream_, memory.back().data, std::as_bytes(std::span(vectors.back())));
      terms.push_back({floats(memory.back()), floats(counts) + t, c.additions[t]});
    }
    const DeviceMemory total = on_device(elements);
    const std::vector<float> expected = by_definition(c, vectors);
    sums.run(stream_, number, terms, {floats(total), elements}, floats(count));
    EXPECT_EQ(downloaded(total), expected);
    EXPECT_EQ(downloaded(count), std::vector{all});
    sums.run(stream_, number, terms, {}, floats(count));
    EXPECT_EQ(downloaded(count), std::vector{all}) << "by itself";
    if (memory.empty()) continue;
    sums.run(stream_, number, terms, {floats(memory.back()), elements});
    EXPECT_EQ(downloaded(memory.back()), expected) << "into one of the vectors";
  }
}

TEST_F(VectorSum, IsTheOneThatIsAskedForNow) {
  VectorSums sums(device_, 2);
  std::vector<DeviceMemory> memory;
  std::vector<std::vector<float>> vectors;
  for (size_t v = 0; v < 3; ++v) {
    vectors.push_back(drawn(10, v));
    memory.push_back(on_device(10));
    device_->upload(stream_, memory[v].data, std::as_bytes(std::span(vectors[v])));
  }
  const DeviceMemory total = on_device(10), count = on_device(1);
  const float one = 1;
  device_->upload(stream_, count.data, std::as_bytes(std::span(&one, 1)));
  for (const auto& [number, vector] :
       std::vector<std::pair<size_t, size_t>>{{0, 0}, {1, 1}, {0, 0}, {0, 2}, {1, 1}, {1, 0}}) {
    const SumTerm term{floats(memory[vector]), floats(count), 0};
    sums.run(stream_, number, {&term, 1}, {floats(total), 10});
    EXPECT_EQ(downloaded(total), vectors[vector]) << "sum " << number << " of vector " << vector;
  }
}

}  // namespace
}  // namespace outerloop::exec::cuda
