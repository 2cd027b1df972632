#pragma once
// Runs a kernel and its oracle on the same random operands and compares the memory of the outputs
// byte by byte, gaps between rows included. Every operand ends at a page that may not be touched.

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "exec/cpu/kernel.h"
#include "fmt/format.h"
#include "gtest/gtest.h"

namespace outerloop::exec {

// Elements up to the last one that strides reach, each with its extent.
inline int64_t span_of(std::initializer_list<std::pair<int64_t, int64_t>> extents_and_strides) {
  int64_t last = 0;
  for (const auto& [extent, stride] : extents_and_strides) {
    if (extent == 0) return 0;
    last += (extent - 1) * stride;
  }
  return last + 1;
}

// Memory whose end is the start of a protected page.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t bytes) : bytes_(bytes) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (bytes + page - 1) / page * page + page;
    base_ = static_cast<std::byte*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + mapped_ - page, page, PROT_NONE);
    data_ = base_ + mapped_ - page - bytes;
  }
  ~GuardedBuffer() { munmap(base_, mapped_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_, mapped_ = 0;
  std::byte* base_ = nullptr;
  std::byte* data_ = nullptr;
};

// A set of operands; `aliases[i]` >= 0 says which other operand's memory operand i is.
class OperandSet {
 public:
  template <class T>
  static OperandSet random(const std::vector<int64_t>& counts, const std::vector<int>& aliases,
                           uint32_t seed) {
    OperandSet set;
    std::mt19937 generator(seed);
    for (size_t i = 0; i < counts.size(); ++i) {
      if (i < aliases.size() && aliases[i] >= 0) {
        set.pointers_.push_back(set.pointers_[static_cast<size_t>(aliases[i])]);
        continue;
      }
      const auto count = static_cast<size_t>(counts[i]);
      set.buffers_.push_back(std::make_unique<GuardedBuffer>(count * sizeof(T)));
      auto* values = static_cast<T*>(set.buffers_.back()->data());
      for (size_t j = 0; j < count; ++j) {
        const uint32_t bits = generator();
        values[j] = bits % 16 == 0 ? T{0} : static_cast<T>(static_cast<int32_t>(bits)) / 2147483648;
      }
      set.pointers_.push_back(values);
    }
    return set;
  }
  void* const* pointers() const { return pointers_.data(); }
  // Index of the first byte that differs, over all operands; -1 if none does.
  int64_t first_difference(const OperandSet& other) const {
    int64_t before = 0;
    for (size_t i = 0; i < buffers_.size(); ++i) {
      const auto* a = static_cast<const std::byte*>(buffers_[i]->data());
      const auto* b = static_cast<const std::byte*>(other.buffers_[i]->data());
      for (size_t j = 0; j < buffers_[i]->bytes(); ++j) {
        if (a[j] != b[j]) return before + static_cast<int64_t>(j);
      }
      before += static_cast<int64_t>(buffers_[i]->bytes());
    }
    return -1;
  }

 private:
  std::vector<std::unique_ptr<GuardedBuffer>> buffers_;
  std::vector<void*> pointers_;
};

// Runs both kernels on equal operands of `counts` elements.
inline void expect_same_bits(const Kernel& kernel, const Kernel& oracle, DType dtype,
                             const std::vector<int64_t>& counts, const std::vector<int>& aliases,
                             uint32_t seed, const std::string& name) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const OperandSet expected = OperandSet::random<T>(counts, aliases, seed);
    const OperandSet actual = OperandSet::random<T>(counts, aliases, seed);
    oracle(expected.pointers());
    kernel(actual.pointers());
    EXPECT_EQ(actual.first_difference(expected), -1) << name;
  };
  dtype == DType::f64 ? run(double{}) : run(float{});
}

// The generated instruction sets that this machine runs.
inline std::vector<Isa> generated_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (machine_runs(isa)) isas.push_back(isa);
  }
  return isas;
}

// Epilogues by name: one of every kind that the fusion pass makes.
struct EpilogueCase {
  Epilogue epilogue;
  std::vector<int> aliases;  // of the epilogue's operands among themselves
};
enum class EpilogueKind {
  store,
  bias_relu,      // two outputs: before and after
  mask,           // by the sign of a stored tensor
  axpy_in_place,  // y = y + alpha * acc, alpha a scalar in memory
  many_operands,  // more than there are registers for pointers
  long_body,      // so long that a loop applies it
  column_vector,  // an input of one element per row
};
inline constexpr std::array kEpilogueKinds{EpilogueKind::store,         EpilogueKind::bias_relu,
                                           EpilogueKind::mask,          EpilogueKind::axpy_in_place,
                                           EpilogueKind::many_operands, EpilogueKind::long_body,
                                           EpilogueKind::column_vector};

// `matrix`: batch and row strides of full operands.
inline EpilogueCase make_epilogue(EpilogueKind kind, DType dtype, int64_t batch_stride,
                                  int64_t row_stride) {
  const TileStrides matrix{batch_stride, row_stride, 1};
  const auto build = [&](int inputs, auto function) {
    ScalarBuilder builder(dtype, inputs);
    const std::vector<Scalar> outputs = function(builder);
    return builder.finish(outputs);
  };
  using Outputs = std::vector<Scalar>;
  switch (kind) {
    case EpilogueKind::store:
      return {store_epilogue(dtype, batch_stride, row_stride), {}};
    case EpilogueKind::bias_relu:
      return {{.body = build(2,
                             [](ScalarBuilder& b) {
                               const Scalar biased = b.input(0) + b.input(1);
                               return Outputs{biased, max(biased, b.constant(0))};
                             }),
               .inputs = {{0, 0, 1}},
               .outputs = {matrix, matrix}},
              {}};
    case EpilogueKind::mask:
      return {{.body = build(2,
                             [](ScalarBuilder& b) {
                               const Scalar zero = b.constant(0);
                               return Outputs{select(less(zero, b.input(1)), b.input(0), zero)};
                             }),
               .inputs = {matrix},
               .outputs = {matrix}},
              {}};
    case EpilogueKind::axpy_in_place:
      return {{.body = build(3,
                             [](ScalarBuilder& b) {
                               return Outputs{fma(b.input(1), b.input(0), b.input(2))};
                             }),
               .inputs = {{0, 0, 0}, matrix},
               .outputs = {matrix}},
              {-1, -1, 1}};
    case EpilogueKind::many_operands:
      return {{.body = build(11,
                             [](ScalarBuilder& b) {
                               Scalar sum = b.input(0);
                               for (int i = 1; i < 11; ++i) sum = fma(sum, b.input(i), b.input(i));
                               return Outputs{sum, b.input(0) * b.input(3), -sum};
                             }),
               .inputs = {matrix,
                          matrix,
                          {0, 0, 1},
                          {batch_stride, row_stride + 3, 1},
                          matrix,
                          {0, 1, 0},
                          matrix,
                          {1, 0, 0},
                          {0, row_stride + 5, 1},
                          matrix},
               .outputs = {matrix, {batch_stride, row_stride + 7, 1}, matrix}},
              {}};
    case EpilogueKind::long_body:
      return {{.body = build(10,
                             [](ScalarBuilder& b) {
                               Scalar sum = b.input(0);
                               for (int i = 0; i < 90; ++i) {
                                 sum = fma(sum, b.input(1 + i % 9), b.constant(i - 40.5));
                                 sum = min(abs(sum), b.input(i % 10));
                               }
                               return Outputs{sum, sum / b.input(0)};
                             }),
               .inputs = {matrix,
                          {0, 0, 1},
                          matrix,
                          {0, 1, 0},
                          matrix,
                          {1, 0, 0},
                          matrix,
                          {0, row_stride + 5, 1},
                          matrix},
               .outputs = {matrix, {batch_stride, row_stride + 1, 1}}},
              {-1, -1, -1, -1, -1, -1, -1, -1, -1, 0, -1}};
    case EpilogueKind::column_vector:
      return {{.body = build(2, [](ScalarBuilder& b) { return Outputs{b.input(0) / b.input(1)}; }),
               .inputs = {{0, 1, 0}},
               .outputs = {matrix}},
              {}};
  }
  return {};
}

// Element counts of an epilogue's operands, with some elements behind the last row.
inline std::vector<int64_t> operand_counts(const Epilogue& epilogue, int64_t batch, int64_t rows,
                                           int64_t columns) {
  std::vector<int64_t> counts;
  for (const auto* list : {&epilogue.inputs, &epilogue.outputs}) {
    for (const TileStrides& s : *list) {
      counts.push_back(span_of({{batch, s[0]}, {rows, s[1]}, {columns, s[2]}}));
    }
  }
  return counts;
}

}  // namespace outerloop::exec
