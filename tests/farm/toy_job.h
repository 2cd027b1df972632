#pragma once
// A job whose values are a hash of the key, and whose cells do what a test wants on the way.

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <functional>
#include <limits>

#include "outerloop/base/hash.h"
#include "outerloop/farm/job.h"

namespace outerloop::farm {

class ToyJob : public Job {
 public:
  explicit ToyJob(size_t cells, std::string content = "toy")
      : manifest_{"toy", std::move(content)} {
    for (size_t i = 0; i < cells; ++i) {
      cells_.push_back({fmt::format("task={}", i), 1.0 + static_cast<double>(i % 3)});
    }
  }

  const Manifest& manifest() const override { return manifest_; }
  const std::vector<Cell>& cells() const override { return cells_; }
  const std::vector<std::string>& columns() const override { return columns_; }

  void run(size_t cell, int thread, std::span<double> values) override {
    if (before) before(cell, thread);
    for (size_t i = 0; i < values.size(); ++i) values[i] = value(cell, i);
  }

  // Some are no numbers, which count as much as others.
  double value(size_t cell, size_t column) const {
    const std::string text = fmt::format("{}/{}/{}", manifest_.content, cells_[cell].key, column);
    const uint64_t hash = xxh3_64(std::as_bytes(std::span(text)));
    if (hash % 17 == 0) return std::numeric_limits<double>::infinity();
    if (hash % 19 == 0) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(hash >> 12) * 0x1p-52 - 0.5;
  }

  std::function<void(size_t cell, int thread)> before;

 private:
  Manifest manifest_;
  std::vector<Cell> cells_;
  std::vector<std::string> columns_{"mean", "sd", "repeats"};
};

}  // namespace outerloop::farm
