// Sums of rows by a binary tree, against the tree on the host, bit by bit.

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <vector>

#include "exec/cuda/test_device.h"
#include "outerloop/exec/cuda_tree_sum.h"

namespace outerloop::exec::cuda {
namespace {

using Floats = std::vector<float>;

struct Rows {
  int64_t count, elements;
  Floats values, present;
};

Rows drawn(int64_t count, int64_t elements, int absent_every) {
  Rows rows{.count = count, .elements = elements, .values = {}, .present = {}};
  for (int64_t r = 0; r < count; ++r) {
    rows.present.push_back(absent_every > 0 && r % absent_every == absent_every - 1 ? 0 : 1);
    for (int64_t e = 0; e < elements; ++e) {
      const float value = 1e3F * std::sin(static_cast<float>(1 + r * elements + e));
      rows.values.push_back(rows.present.back() != 0 ? value : std::nanf(""));
    }
  }
  return rows;
}

// Of rows first … first + size - 1, a subtree.
std::optional<float> by_definition(const Rows& rows, int64_t first, int64_t size, int64_t e) {
  if (first >= rows.count) return {};
  if (size == 1) {
    if (rows.present[static_cast<size_t>(first)] == 0) return {};
    return rows.values[static_cast<size_t>(first * rows.elements + e)];
  }
  const auto lower = by_definition(rows, first, size / 2, e);
  const auto upper = by_definition(rows, first + size / 2, size / 2, e);
  return lower && upper ? *lower + *upper : lower ? lower : upper;
}

TEST(TreeSum, IsThatOfTheTree) {
  const auto device = testing_support::test_device();
  const DeviceStream stream = device->make_stream();
  const auto uploaded = [&](const Floats& values) {
    const DeviceMemory memory = device->allocate(values.size() * sizeof(float));
    device->upload(stream, memory.data, std::as_bytes(std::span(values)));
    return memory;
  };
  std::vector<std::pair<int64_t, int64_t>> sizes;
  for (const int64_t count : {1, 2, 3, 7, 8, 9, 16, 25, 32, 33, 57}) sizes.emplace_back(count, 70);
  sizes.emplace_back(25, 513);
  sizes.emplace_back(4, 1);
  std::vector<TreeSum> sums;
  for (const auto& [count, elements] : sizes) sums.emplace_back(device, count, elements);
  for (size_t s = 0; s < sizes.size(); ++s) {
    for (const int absent_every : {0, 2, 3, 5}) {
      const Rows rows = drawn(sizes[s].first, sizes[s].second, absent_every);
      const DeviceMemory values = uploaded(rows.values), present = uploaded(rows.present);
      Floats total(static_cast<size_t>(rows.elements));
      const DeviceMemory sum = device->allocate(total.size() * sizeof(float));
      sums[s].run(stream, values.data, present.data, sum.data);
      device->download(stream, std::as_writable_bytes(std::span(total)), sum.data);
      device->synchronize(stream);
      for (int64_t e = 0; e < rows.elements; ++e) {
        ASSERT_EQ(by_definition(rows, 0, 64, e), total[static_cast<size_t>(e)])
            << rows.count << " rows, element " << e << ", absent every " << absent_every;
      }
    }
  }
}

}  // namespace
}  // namespace outerloop::exec::cuda
