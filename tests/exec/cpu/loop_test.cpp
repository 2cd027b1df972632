// Generated loops equal their definition bit for bit, at odd shapes, strides and bodies.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "body_generator.h"
#include "loop_check.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

using testing::BodyGenerator;
using testing::count_differences;
using testing::dense;
using testing::fill_wild_and_tame;
using Kind = LoopOutputKind;

class LoopTest : public ::testing::TestWithParam<std::tuple<Isa, DType>> {
 protected:
  void SetUp() override {
    if (!machine_runs(isa())) GTEST_SKIP() << "this processor has no " << name_of(isa());
  }
  Isa isa() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }

  int64_t differences(const LoopSpec& spec, std::vector<int> aliases = {}, unsigned seed = 1) {
    aliases.resize(spec.outputs.size(), -1);
    const Kernel kernel = make_loop(spec, isa());
    if (dtype() == DType::f32) {
      return count_differences<float>(spec, kernel, fill_wild_and_tame, aliases, seed);
    }
    return count_differences<double>(spec, kernel, fill_wild_and_tame, aliases, seed);
  }
  ScalarBody random_body(int inputs, int operations, int outputs, unsigned seed) const {
    return BodyGenerator(dtype(), inputs, seed).generate(operations, outputs);
  }
};

// Strides of an operand that is the same along some axes.
LoopStrides broadcast(LoopStrides strides, std::initializer_list<size_t> axes) {
  for (size_t axis : axes) strides[axis] = 0;
  return strides;
}

std::string describe(const LoopSpec& spec) {
  std::string text = fmt::format("extents {}", fmt::join(spec.extents, "x"));
  for (const auto& strides : spec.inputs) text += fmt::format(" in {}", fmt::join(strides, ","));
  for (const auto& output : spec.outputs) {
    text += fmt::format(" out{} {}", static_cast<int>(output.kind), fmt::join(output.strides, ","));
  }
  return text + fmt::format(", {} instructions", spec.body.instructions.size());
}

TEST_P(LoopTest, EveryLengthOfOneAxis) {
  for (int64_t length = 0; length <= 150; ++length) {
    LoopSpec spec{.dtype = dtype(), .extents = {length}, .inputs = {{1}, {0}, {1}}};
    spec.body = random_body(3, 5, 1, static_cast<unsigned>(length));
    spec.outputs = {{Kind::store, {1}}};
    EXPECT_EQ(differences(spec), 0) << describe(spec);
  }
}

TEST_P(LoopTest, RowsAndColumnsWithBroadcastOperands) {
  for (int64_t rows : {1, 2, 3, 4, 5, 7, 10, 33}) {
    for (int64_t columns : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 40, 48, 63, 64, 65, 130}) {
      LoopSpec spec{.dtype = dtype(), .extents = {rows, columns}};
      const LoopStrides all = dense(spec.extents);
      spec.inputs = {all, broadcast(all, {0}), broadcast(all, {1}), broadcast(all, {0, 1})};
      spec.inputs[2][0] = 1;
      spec.body = random_body(4, 9, 2, static_cast<unsigned>(rows * 1000 + columns));
      spec.outputs = {{Kind::store, all}, {Kind::store, {columns + 3, 1}}};
      EXPECT_EQ(differences(spec), 0) << describe(spec);
    }
  }
}

TEST_P(LoopTest, SumsAndMaximaOverColumns) {
  for (int64_t rows : {1, 2, 5}) {
    for (int64_t columns : {0, 1, 2, 5, 8, 15, 16, 31, 32, 33, 40, 63, 64, 65, 96, 100, 200, 333}) {
      LoopSpec spec{.dtype = dtype(), .extents = {rows, columns}};
      const LoopStrides all = dense(spec.extents);
      spec.inputs = {all, all, broadcast(all, {1}), {0, 1}};
      spec.body = random_body(4, 6, 3, static_cast<unsigned>(columns));
      spec.outputs = {
          {Kind::sum_contiguous, {2, 0}}, {Kind::store, all}, {Kind::max_contiguous, {1, 0}}};
      EXPECT_EQ(differences(spec), 0) << describe(spec);
    }
  }
}

TEST_P(LoopTest, SumsAndMaximaOverRows) {
  for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 23, 40, 131}) {
    for (int64_t columns : {1, 3, 5, 8, 16, 17, 40, 64, 70, 129, 200}) {
      LoopSpec spec{.dtype = dtype(), .extents = {2, rows, columns}};
      const LoopStrides all = dense(spec.extents);
      spec.inputs = {all, broadcast(all, {1}), broadcast(all, {2}), broadcast(all, {0, 1})};
      spec.body = random_body(4, 7, 3, static_cast<unsigned>(rows * 100 + columns));
      const LoopStrides sums{columns, 0, 1};
      spec.outputs = {{Kind::sum_rows, sums}, {Kind::store, all}, {Kind::max_rows, sums}};
      EXPECT_EQ(differences(spec), 0) << describe(spec);
    }
  }
}

TEST_P(LoopTest, ManySumsOverflowIntoTheFrame) {
  for (const Kind kind : {Kind::sum_rows, Kind::sum_contiguous, Kind::max_contiguous}) {
    LoopSpec spec{.dtype = dtype(), .extents = {3, 37, 45}};
    spec.inputs = {dense(spec.extents), broadcast(dense(spec.extents), {1})};
    spec.body = random_body(2, 20, 9, 5);
    const bool rows = kind == Kind::sum_rows;
    const LoopStrides sums = rows ? LoopStrides{45, 0, 1} : LoopStrides{37, 1, 0};
    spec.outputs.assign(9, {kind, sums});
    EXPECT_EQ(differences(spec), 0) << describe(spec);
  }
}

TEST_P(LoopTest, LongBodiesSpill) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    LoopSpec spec{.dtype = dtype(), .extents = {3, 29}};
    const LoopStrides all = dense(spec.extents);
    spec.inputs = {all, all, {0, 1}, {0, 1}, {1, 0}, {0, 0}, all, all};
    spec.body = random_body(8, 40 + 6 * static_cast<int>(seed), 6, seed);
    spec.outputs.assign(6, {Kind::store, all});
    EXPECT_EQ(differences(spec), 0) << "seed " << seed << ' ' << describe(spec);
  }
}

TEST_P(LoopTest, MorePointersThanRegisters) {
  LoopSpec spec{.dtype = dtype(), .extents = {5, 77}};
  const LoopStrides all = dense(spec.extents);
  spec.inputs.assign(19, all);
  spec.inputs[3] = {0, 1};
  spec.inputs[17] = {1, 0};
  spec.body = random_body(19, 60, 4, 3);
  spec.outputs = {{Kind::store, all},
                  {Kind::store, all},
                  {Kind::store, {80, 1}},
                  {Kind::sum_contiguous, {1, 0}}};
  EXPECT_EQ(differences(spec), 0) << describe(spec);
}

// More distinct strides than the generator has position registers for: the plain loop takes over.
TEST_P(LoopTest, ManyDifferentStrides) {
  LoopSpec spec{.dtype = dtype(), .extents = {21, 40}};
  for (int64_t i = 0; i < 9; ++i) spec.inputs.push_back({40 + i, 1});
  spec.body = random_body(9, 20, 1, 4);
  spec.outputs = {{Kind::store, {60, 1}}};
  EXPECT_EQ(differences(spec), 0) << describe(spec);
}

TEST_P(LoopTest, OutputsInPlace) {
  for (int64_t columns : {1, 5, 16, 40, 100}) {
    for (unsigned seed = 0; seed < 8; ++seed) {
      LoopSpec spec{.dtype = dtype(), .extents = {4, columns}};
      const LoopStrides all = dense(spec.extents);
      spec.inputs = {all, all, {0, 1}};
      spec.body = random_body(3, 1 + static_cast<int>(seed), 2, seed);
      spec.outputs = {{Kind::store, all}, {Kind::store, all}};
      EXPECT_EQ(differences(spec, {1, 0}, seed), 0) << describe(spec);
    }
  }
}

TEST_P(LoopTest, SwapInPlace) {
  LoopSpec spec{.dtype = dtype(), .extents = {67}, .inputs = {{1}, {1}}};
  ScalarBuilder builder(dtype(), 2);
  spec.body = builder.finish(std::array{builder.input(1), builder.input(0)});
  spec.outputs = {{Kind::store, {1}}, {Kind::store, {1}}};
  EXPECT_EQ(differences(spec, {0, 1}), 0);
}

// Any rank, extents, order of axes, gaps and broadcasts.
class RandomSpec {
 public:
  RandomSpec(DType dtype, unsigned seed) : random_(seed) {
    spec_.dtype = dtype;
    const size_t rank = 1 + pick(kMaxLoopRank);
    for (size_t axis = 0; axis < rank; ++axis) {
      const uint32_t most = axis + 1 == rank ? 70 : rank > 3 ? 4 : 9;
      spec_.extents.push_back(1 + pick(pick(3) == 0 ? 3 : most));
    }
    const int inputs = static_cast<int>(pick(6));
    const int outputs = 1 + static_cast<int>(pick(3));
    for (int i = 0; i < inputs; ++i) {
      LoopStrides strides = any_layout();
      for (size_t axis = 0; axis < rank; ++axis) {
        if (pick(4) == 0) strides[axis] = 0;
      }
      spec_.inputs.push_back(strides);
    }
    spec_.body =
        BodyGenerator(dtype, inputs, seed).generate(1 + static_cast<int>(pick(14)), outputs);
    const uint32_t reduction = pick(3);
    for (int k = 0; k < outputs; ++k) spec_.outputs.push_back(output(reduction));
  }
  const LoopSpec& spec() const { return spec_; }

 private:
  uint32_t pick(uint32_t count) { return static_cast<uint32_t>(random_() % count); }

  LoopStrides any_layout() {
    std::vector<size_t> order(spec_.extents.size());
    std::iota(order.begin(), order.end(), 0);
    if (pick(3) == 0) std::shuffle(order.begin(), order.end(), random_);
    LoopStrides strides{};
    int64_t stride = pick(6) == 0 ? 2 : 1;
    for (size_t i = order.size(); i-- > 0;) {
      strides[order[i]] = stride;
      stride *= spec_.extents[order[i]] + (pick(4) == 0 ? 1 : 0);
    }
    return strides;
  }

  LoopOutput output(uint32_t reduction) {
    const size_t rank = spec_.extents.size();
    LoopOutput result{Kind::store, any_layout()};
    if (reduction == 0 || pick(3) == 0) return result;
    const bool rows = reduction == 2 && rank >= 2;
    const bool maximum = pick(2) == 0;
    result.kind = rows ? (maximum ? Kind::max_rows : Kind::sum_rows)
                       : (maximum ? Kind::max_contiguous : Kind::sum_contiguous);
    result.strides[rows ? rank - 2 : rank - 1] = 0;
    return result;
  }

  std::mt19937 random_;
  LoopSpec spec_;
};

TEST_P(LoopTest, RandomNests) {
  for (unsigned seed = 0; seed < 1500; ++seed) {
    const LoopSpec spec = RandomSpec(dtype(), seed).spec();
    ASSERT_EQ(differences(spec, {}, seed), 0) << "seed " << seed << ' ' << describe(spec);
  }
}

TEST_P(LoopTest, ContradictorySpecsAreRefused) {
  LoopSpec spec{.dtype = dtype(), .extents = {4, 4}, .inputs = {{4, 1}}};
  spec.body = random_body(1, 2, 2, 1);
  spec.outputs = {{Kind::sum_rows, {0, 1}}, {Kind::sum_contiguous, {1, 0}}};
  EXPECT_THROW(make_loop(spec, isa()), BadInput);
  spec.outputs = {{Kind::sum_rows, {4, 1}}, {Kind::store, {4, 1}}};
  EXPECT_THROW(make_loop(spec, isa()), BadInput);
  spec.outputs.pop_back();
  EXPECT_THROW(make_loop(spec, isa()), BadInput);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, LoopTest,
                         ::testing::Combine(::testing::Values(Isa::scalar, Isa::avx2, Isa::avx512),
                                            ::testing::Values(DType::f32, DType::f64)),
                         [](const auto& test) {
                           return fmt::format("{}_{}", name_of(std::get<0>(test.param)),
                                              name_of(std::get<1>(test.param)));
                         });

}  // namespace
}  // namespace outerloop::exec
