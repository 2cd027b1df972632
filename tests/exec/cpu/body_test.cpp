// Bodies on vector registers equal evaluate() bit for bit, however few registers there are and
// wherever their inputs live; and instruction sets are chosen as asked.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "body_generator.h"
#include "exec/cpu/body_emitter.h"
#include "loop_check.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

using testing::BodyGenerator;

constexpr int kInputs = 5;
constexpr int kOutputs = 3;

class BodyTest : public ::testing::TestWithParam<std::tuple<Isa, DType>> {
 protected:
  void SetUp() override {
    if (!machine_runs(isa())) GTEST_SKIP() << "this processor has no " << name_of(isa());
  }
  Isa isa() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
};

// Inputs 0 and 1 come in registers (the first consumed), 2 is broadcast, the others are vectors.
// Output 1 goes to a handler.
Kernel make_kernel(const ScalarBody& body, Isa isa, DType dtype, int free_count, int lane_count) {
  using namespace Xbyak::util;
  Assembler as(isa, dtype);
  const Lanes lanes = as.lanes(lane_count, 1);
  as.enter(0);
  as.set_mask(lanes);
  const std::array pointers{rcx, rdx, r8, r9, r10, r11, rdi, rax};
  for (size_t i = 0; i < kInputs + 2; ++i) as.mov(pointers[i], as.ptr[rsi + i * 8]);
  as.mov(rsi, as.ptr[rsi + (kInputs + 2) * 8]);
  const int consumed = as.register_count() - 1;
  const int pinned = as.register_count() - 2;
  as.load_lanes(as.vec(consumed, lanes.bits), rcx, lanes);
  as.load_lanes(as.vec(pinned, lanes.bits), rdx, lanes);
  const std::array sources{BodySource::in_register(consumed, true),
                           BodySource::in_register(pinned, false), BodySource::broadcast(r8),
                           BodySource::vector(r9), BodySource::vector(r10)};
  const auto take = [&](Vector value) {
    as.store_lanes(rdi, value, lanes, value.getIdx() == 0 ? 1 : 0);
  };
  // The handler of a partial AVX2 vector may need a register of its own: the lowest two are kept.
  std::vector<int> free(static_cast<size_t>(free_count));
  std::iota(free.begin(), free.end(), 2);
  const std::array sinks{BodySink::store(r11), BodySink::handler(take), BodySink::store(rsi)};
  BodyEmitter(as, body, 2).emit(sources, sinks, free, lanes);
  as.leave();
  return as.finish();
}

template <class T>
int64_t count_wrong(const ScalarBody& body, const Kernel& kernel, int lane_count, unsigned seed) {
  constexpr size_t kFrame = 24;
  std::mt19937 random(seed);
  std::vector<std::vector<T>> memory(kInputs + kOutputs, std::vector<T>(kFrame, T(-777)));
  std::vector<void*> operands;
  for (size_t i = 0; i < memory.size(); ++i) {
    if (i < kInputs) testing::fill_wild_and_tame(memory[i], i, random);
    operands.push_back(memory[i].data() + 3);
  }
  std::vector<std::vector<T>> expected = memory;
  for (size_t lane = 0; lane < static_cast<size_t>(lane_count); ++lane) {
    std::vector<T> inputs, outputs(kOutputs), registers(body.instructions.size());
    for (size_t i = 0; i < kInputs; ++i) inputs.push_back(memory[i][3 + (i == 2 ? 0 : lane)]);
    evaluate<T>(body, inputs, outputs, registers);
    for (size_t k = 0; k < kOutputs; ++k) expected[kInputs + k][3 + lane] = outputs[k];
  }
  kernel(operands.data());
  int64_t wrong = 0;
  for (size_t i = 0; i < memory.size(); ++i) {
    for (size_t e = 0; e < kFrame; ++e) {
      wrong += !testing::same_bits(memory[i][e], expected[i][e]);
    }
  }
  return wrong;
}

TEST_P(BodyTest, EqualsItsEvaluation) {
  const int whole = Assembler(isa(), dtype()).vector_lanes();
  const int most = isa() == Isa::avx512 ? 26 : 10;
  for (unsigned seed = 0; seed < 400; ++seed) {
    const auto operations = static_cast<int>(1 + seed % 70);
    const ScalarBody body = BodyGenerator(dtype(), kInputs, seed).generate(operations, kOutputs);
    for (const int free : {BodyEmitter::kMinRegisters - 1, BodyEmitter::kMinRegisters + 2, most}) {
      const int lanes = 1 + static_cast<int>(seed + static_cast<unsigned>(free)) % whole;
      const Kernel kernel = make_kernel(body, isa(), dtype(), free, lanes);
      const int64_t wrong = dtype() == DType::f32 ? count_wrong<float>(body, kernel, lanes, seed)
                                                  : count_wrong<double>(body, kernel, lanes, seed);
      ASSERT_EQ(wrong, 0) << "seed " << seed << ", " << free << " registers, " << lanes
                          << " elements";
    }
  }
}

// Each operation alone on all pairs of special values that its contract allows.
TEST_P(BodyTest, EveryOperationOnSpecialValues) {
  using Op = ScalarOp;
  const int whole = Assembler(isa(), dtype()).vector_lanes();
  for (const Op op :
       {Op::add, Op::sub, Op::mul, Op::div, Op::fma, Op::sqrt, Op::neg, Op::abs, Op::min, Op::max,
        Op::round, Op::less, Op::less_equal, Op::equal, Op::select}) {
    ScalarBuilder builder(dtype(), kInputs);
    const bool unary = op == Op::sqrt || op == Op::neg || op == Op::abs || op == Op::round;
    const bool ternary = op == Op::fma || op == Op::select;
    const Scalar result = builder.emit(op, builder.input(0), unary ? Scalar{} : builder.input(2),
                                       ternary ? builder.input(4) : Scalar{});
    const ScalarBody body = builder.finish(std::array{result, result, builder.input(3)});
    const Kernel kernel = make_kernel(body, isa(), dtype(), 6, whole);
    for (unsigned seed = 0; seed < 200; ++seed) {
      const int64_t wrong = dtype() == DType::f32 ? count_wrong<float>(body, kernel, whole, seed)
                                                  : count_wrong<double>(body, kernel, whole, seed);
      ASSERT_EQ(wrong, 0) << "operation " << static_cast<int>(op) << ", seed " << seed;
    }
  }
}

// scale2 from the largest numbers down to the smallest normal one and beyond both ends.
template <class T>
int64_t count_wrong_scales(Isa isa) {
  ScalarBuilder builder(outerloop::dtype_of<T>, kInputs);
  const Scalar scaled = scale2(builder.input(0), builder.input(1));
  const ScalarBody body =
      builder.finish(std::array{scaled, exponent(builder.input(3)), mantissa(builder.input(3))});
  const int whole = Assembler(isa, outerloop::dtype_of<T>).vector_lanes();
  const Kernel kernel = make_kernel(body, isa, outerloop::dtype_of<T>, 8, whole);
  using Limits = std::numeric_limits<T>;
  const int range = Limits::max_exponent - Limits::min_exponent;
  int64_t wrong = 0;
  for (const T a : {Limits::max(), Limits::min(), T(1), T(-1.75), T(0), T(-0.0), Limits::infinity(),
                    Limits::quiet_NaN()}) {
    for (int n = -range - 60; n <= range + 60; n += 1) {
      const T exact = std::ldexp(a, n);
      const bool denormal = exact != T(0) && std::fabs(exact) < Limits::min();
      if (denormal) continue;
      std::vector<T> memory(7 * 16, T(1));
      std::vector<void*> operands;
      for (size_t i = 0; i < 8; ++i)
        operands.push_back(memory.data() + std::min<size_t>(i, 6) * 16);
      operands[7] = memory.data() + 2 * 16;
      std::fill_n(memory.begin(), 16, a);
      std::fill_n(memory.begin() + 16, 16, static_cast<T>(n));
      const T normal = std::ldexp(T(-1.7), n % (range / 2 - 4));
      std::fill_n(memory.begin() + 48, 16, normal);
      kernel(operands.data());
      const std::array expected{exact, static_cast<T>(std::ilogb(normal)),
                                std::ldexp(normal, -std::ilogb(normal))};
      for (size_t k = 0; k < 3; ++k) {
        for (int lane = 0; lane < whole; ++lane) {
          wrong += !testing::same_bits(static_cast<T*>(operands[kInputs + k])[lane], expected[k]);
        }
      }
    }
  }
  return wrong;
}

TEST_P(BodyTest, PowersOfTwoOverTheWholeRange) {
  EXPECT_EQ(
      dtype() == DType::f32 ? count_wrong_scales<float>(isa()) : count_wrong_scales<double>(isa()),
      0);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, BodyTest,
                         ::testing::Combine(::testing::Values(Isa::avx2, Isa::avx512),
                                            ::testing::Values(DType::f32, DType::f64)),
                         [](const auto& test) {
                           return fmt::format("{}_{}", name_of(std::get<0>(test.param)),
                                              name_of(std::get<1>(test.param)));
                         });

class IsaTest : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("OUTERLOOP_ISA"); }
};

TEST_F(IsaTest, TheEnvironmentChooses) {
  setenv("OUTERLOOP_ISA", "scalar", 1);
  EXPECT_EQ(select_isa(), Isa::scalar);
  setenv("OUTERLOOP_ISA", "", 1);
  const Isa widest = select_isa();
  setenv("OUTERLOOP_ISA", std::string(name_of(widest)).c_str(), 1);
  EXPECT_EQ(select_isa(), widest);
}

TEST_F(IsaTest, UnknownNamesAreRefused) {
  setenv("OUTERLOOP_ISA", "sse9", 1);
  EXPECT_THROW(select_isa(), BadInput);
}

}  // namespace
}  // namespace outerloop::exec
