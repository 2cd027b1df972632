// Sums over tasks on the device: the tree of outerloop/comm/slot_tree.h, bit by bit, without tasks
// that are not finite.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "exec/cuda/test_device.h"
#include "outerloop/exec/cuda_bit_sums.h"
#include "outerloop/exec/cuda_slot_sums.h"

namespace outerloop::exec::cuda {
namespace {

const std::vector<int64_t> kEnds{160, 304};
const auto kElements = static_cast<size_t>(kEnds.back());

struct SlotCase {
  const char* name;
  std::vector<int> levels;
  std::vector<size_t> bad_losses;
  std::vector<size_t> bad_gradients;
};

const std::vector<SlotCase> kSlotCases{
    {"one task", {0}, {}, {}},
    {"one that does not count", {0}, {}, {0}},
    {"a pair of which one counts", {1}, {0}, {}},
    {"a subtree of eight", {3}, {2}, {5}},
    {"25 tasks", {4, 3, 0}, {24}, {1, 16}},
    {"tasks from an odd slot on", {0, 1, 3, 5, 2, 0}, {0, 20}, {3, 4, 5, 6}},
    {"a subtree without any", {2, 2}, {0, 1}, {2, 3}},
    {"none at all", {1, 0}, {0, 1}, {2}},
};

using Vector = std::vector<float>;
using Node = std::optional<Vector>;  // absent where nothing below it counts

Node parent(const Node& left, const Node& right) {
  if (!left || !right) return left ? left : right;
  Vector sum = *left;
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += (*right)[i];
  return sum;
}

// Of leaves that are a power of two.
Node subtree(std::vector<Node> nodes) {
  for (; nodes.size() > 1; nodes.resize(nodes.size() / 2)) {
    for (size_t i = 0; i < nodes.size() / 2; ++i) nodes[i] = parent(nodes[2 * i], nodes[2 * i + 1]);
  }
  return nodes.front();
}

class SlotSum : public ::testing::Test {
 protected:
  template <class T>
  DeviceMemory uploaded(const std::vector<T>& values) {
    const DeviceMemory memory = device_->allocate(values.size() * sizeof(T));
    device_->upload(stream_, memory.data, std::as_bytes(std::span(values)));
    return memory;
  }
  Vector downloaded(const DeviceMemory& memory) {
    Vector values(memory.bytes / sizeof(float));
    device_->download(stream_, std::as_writable_bytes(std::span(values)), memory.data);
    device_->synchronize(stream_);
    return values;
  }

  void draw(const SlotCase& c) {
    size_t tasks = 0;
    for (int level : c.levels) tasks += size_t{1} << level;
    losses_.assign(tasks, 1);
    gradients_.resize(tasks * kElements);
    for (size_t i = 0; i < gradients_.size(); ++i) {
      gradients_[i] = std::sin(static_cast<float>(1 + i)) * 1e3F;
    }
    leaves_.clear();
    for (size_t t = 0; t < tasks; ++t) {
      const auto first = gradients_.begin() + static_cast<std::ptrdiff_t>(t * kElements);
      leaves_.emplace_back(Vector(first, first + static_cast<std::ptrdiff_t>(kElements)));
    }
    for (size_t t : c.bad_losses) losses_[t] = std::numeric_limits<float>::quiet_NaN();
    for (size_t t : c.bad_gradients) {
      gradients_[t * kElements + t % kElements] = -std::numeric_limits<float>::infinity();
    }
    for (const auto* bad : {&c.bad_losses, &c.bad_gradients}) {
      for (size_t t : *bad) leaves_[t].reset();
    }
  }

  static float count(std::span<const Node> leaves) {
    const auto present = std::ranges::count_if(leaves, [](const Node& leaf) { return !!leaf; });
    return static_cast<float>(present);
  }

  void check(const SlotCase& c, SlotSums::Sums which) {
    draw(c);
    const auto tasks = static_cast<int64_t>(losses_.size());
    const DeviceMemory gradients = uploaded(gradients_), losses = uploaded(losses_);
    const DeviceMemory hashes = device_->allocate(losses_.size() * 2 * sizeof(uint32_t));
    const DeviceMemory finite = device_->allocate(hashes.bytes);
    const DeviceMemory counts = device_->allocate(losses.bytes);
    const bool all = which == SlotSums::Sums::of_all;
    std::vector<DeviceMemory> sums, numbers;
    SlotSums::Places places{gradients.data, losses.data, finite.data, counts.data, {}, {}};
    for (size_t i = 0; i < (all ? 1 : c.levels.size()); ++i) {
      sums.push_back(device_->allocate(kElements * sizeof(float)));
      numbers.push_back(device_->allocate(sizeof(float)));
      places.sums.push_back(sums.back().data);
      places.numbers.push_back(numbers.back().data);
    }
    constexpr int64_t kWords = 2 * sizeof(uint32_t);
    BitSums bit_sums(device_, kEnds);
    bit_sums.run(stream_, tasks,
                 {gradients.data, kEnds.back() * static_cast<int64_t>(sizeof(float))},
                 {hashes.data, kWords}, {finite.data, kWords});
    SlotSums slot_sums(device_, {c.levels, kEnds.back(), 2}, which);
    slot_sums.run(stream_, places);

    const Vector counted = downloaded(counts);
    for (size_t t = 0; t < leaves_.size(); ++t) EXPECT_EQ(counted[t], leaves_[t] ? 1 : 0) << t;
    std::vector<Node> roots;
    size_t first = 0;
    for (size_t r = 0; r < c.levels.size(); ++r) {
      const auto leaves = std::span(leaves_).subspan(first, size_t{1} << c.levels[r]);
      roots.push_back(subtree({leaves.begin(), leaves.end()}));
      first += leaves.size();
      if (all) continue;
      EXPECT_EQ(downloaded(sums[r]), roots.back().value_or(Vector(kElements)));
      EXPECT_EQ(downloaded(numbers[r]), Vector{count(leaves)});
    }
    if (!all) return;
    Node total = roots.back();
    for (size_t r = roots.size() - 1; r-- > 0;) total = parent(roots[r], total);
    EXPECT_EQ(downloaded(sums[0]), total.value_or(Vector(kElements)));
    EXPECT_EQ(downloaded(numbers[0]), Vector{count(leaves_)});
  }

  std::shared_ptr<Device> device_ = testing_support::test_device();
  DeviceStream stream_ = device_->make_stream();
  Vector losses_, gradients_;
  std::vector<Node> leaves_;
};

TEST_F(SlotSum, OfEachSubtree) {
  for (const SlotCase& c : kSlotCases) {
    SCOPED_TRACE(c.name);
    check(c, SlotSums::Sums::of_subtrees);
  }
}

TEST_F(SlotSum, OfAll) {
  for (const SlotCase& c : kSlotCases) {
    SCOPED_TRACE(c.name);
    check(c, SlotSums::Sums::of_all);
  }
}

TEST_F(SlotSum, TakesAsManyTasksAsABlockHasInView) {
  EXPECT_THROW(SlotSums(device_, {{16}, 16, 1}, SlotSums::Sums::of_all), BadInput);
}

}  // namespace
}  // namespace outerloop::exec::cuda
