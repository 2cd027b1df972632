// Prints what generated loops and copies cost on each instruction set: thread CPU time, medians.
// For work on their code: `outerloop bench ops` has no loops of several equations.
//
//   build/release/loop_bench

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "exec/cpu/copy.h"
#include "exec/cpu/kernel.h"
#include "loop_check.h"
#include "outerloop/base/stopwatch.h"

namespace outerloop::exec {
namespace {

using Kind = LoopOutputKind;
using testing::dense;

// Nanoseconds a call, the median of 25 batches of about a millisecond.
double time_call(const std::function<void()>& call) {
  const auto batch = [&](int calls) {
    const double start = thread_seconds();
    for (int i = 0; i < calls; ++i) call();
    return thread_seconds() - start;
  };
  int calls = 1;
  while (batch(calls) < 1e-3) calls *= 2;
  std::vector<double> times;
  for (int i = 0; i < 25; ++i) times.push_back(batch(calls) / calls);
  std::ranges::nth_element(times, times.begin() + 12);
  return 1e9 * times[12];
}

struct Case {
  std::string_view name;
  LoopSpec spec;
};

template <class Build>
ScalarBody body_of(DType dtype, int inputs, Build build) {
  ScalarBuilder builder(dtype, inputs);
  const std::vector<Scalar> outputs = build(builder);
  return builder.finish(outputs);
}

// exp by the usual reduction and a polynomial: about twenty operations.
Scalar exponential(Scalar x) {
  const Scalar n = round(x * 1.44269504088896341);
  Scalar r = fma(n, x.builder->constant(-0.693359375), x);
  r = fma(n, x.builder->constant(2.12194440e-4), r);
  Scalar p = x.builder->constant(1.9875691500e-4);
  for (double c :
       {1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5, 1.0, 1.0}) {
    p = fma(p, r, x.builder->constant(c));
  }
  return scale2(p, n);
}

std::vector<Case> cases(DType dtype) {
  std::vector<Case> all;
  const auto add = [&](std::string_view name, std::vector<int64_t> extents,
                       std::vector<LoopStrides> inputs, ScalarBody body,
                       std::vector<LoopOutput> outputs) {
    all.push_back(
        {name,
         {dtype, std::move(extents), std::move(inputs), std::move(body), std::move(outputs)}});
  };
  const auto axpy = body_of(dtype, 2, [](ScalarBuilder& b) {
    return std::vector{fma(b.input(0), b.constant(-0.01), b.input(1))};
  });
  const auto identity = body_of(dtype, 1, [](ScalarBuilder& b) { return std::vector{b.input(0)}; });
  add("axpy, 40", {40}, {{1}, {1}}, axpy, {{Kind::store, {1}}});
  add("axpy, 1600", {1600}, {{1}, {1}}, axpy, {{Kind::store, {1}}});
  add("axpy, 62720", {62720}, {{1}, {1}}, axpy, {{Kind::store, {1}}});
  add("row sum, 10x40", {10, 40}, {{40, 1}}, identity, {{Kind::sum_rows, {0, 1}}});
  add("row sum, 980x64", {980, 64}, {{64, 1}}, identity, {{Kind::sum_rows, {0, 1}}});
  add("column sum, 10x40", {10, 40}, {{40, 1}}, identity, {{Kind::sum_contiguous, {1, 0}}});
  add("column sum, 25x5", {25, 5}, {{5, 1}}, identity, {{Kind::sum_contiguous, {1, 0}}});
  add("column sum, 1600", {1600}, {{1}}, identity, {{Kind::sum_contiguous, {0}}});
  add("outer product, 10x40", {10, 40}, {{1, 0}, {0, 1}},
      body_of(dtype, 2, [](ScalarBuilder& b) { return std::vector{b.input(0) * b.input(1)}; }),
      {{Kind::store, {40, 1}}});
  add("bias and relu, 10x40", {10, 40}, {{40, 1}, {0, 1}},
      body_of(dtype, 2,
              [](ScalarBuilder& b) {
                return std::vector{max(b.input(0) + b.input(1), b.constant(0))};
              }),
      {{Kind::store, {40, 1}}});
  add("relu gradient and row sum, 10x40", {10, 40}, {{40, 1}, {40, 1}},
      body_of(dtype, 2,
              [](ScalarBuilder& b) {
                const Scalar g = select(less(b.constant(0), b.input(0)), b.input(1), b.constant(0));
                return std::vector{g, g};
              }),
      {{Kind::store, {40, 1}}, {Kind::sum_rows, {0, 1}}});
  add("adam, 1600", {1600}, {{1}, {1}, {1}, {1}},
      body_of(dtype, 4,
              [](ScalarBuilder& b) {
                const Scalar g = b.input(0);
                const Scalar m = fma(b.constant(0.9), b.input(1), b.constant(0.1) * g);
                const Scalar v = fma(b.constant(0.999), b.input(2), b.constant(0.001) * (g * g));
                const Scalar step = m / (sqrt(v) + b.constant(1e-8));
                return std::vector{m, v, fma(b.constant(-1e-3), step, b.input(3))};
              }),
      {{Kind::store, {1}}, {Kind::store, {1}}, {Kind::store, {1}}});
  const auto normalise = body_of(dtype, 5, [](ScalarBuilder& b) {
    const Scalar scale = b.input(2) * b.input(3);
    return std::vector{max(fma(b.input(0) - b.input(1), scale, b.input(4)), b.constant(0))};
  });
  add("batch norm and relu, 980x64", {980, 64}, {{64, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}},
      normalise, {{Kind::store, {64, 1}}});
  add("batch norm and relu, 245x64", {245, 64}, {{64, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}},
      normalise, {{Kind::store, {64, 1}}});
  add("two sums of a batch norm gradient, 980x64", {980, 64}, {{64, 1}, {64, 1}, {0, 1}, {0, 1}},
      body_of(dtype, 4,
              [](ScalarBuilder& b) {
                const Scalar x = (b.input(0) - b.input(2)) * b.input(3);
                return std::vector{b.input(1), b.input(1) * x};
              }),
      {{Kind::sum_rows, {0, 1}}, {Kind::sum_rows, {0, 1}}});
  add("batch norm gradient, 980x64", {980, 64},
      {{64, 1}, {64, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}},
      body_of(dtype, 7,
              [](ScalarBuilder& b) {
                const Scalar x = (b.input(0) - b.input(2)) * b.input(3);
                const Scalar g = b.input(1) - b.input(4) - x * b.input(5);
                return std::vector{g * (b.input(3) * b.input(6))};
              }),
      {{Kind::store, {64, 1}}});
  add("exp, 1600", {1600}, {{1}},
      body_of(dtype, 1, [](ScalarBuilder& b) { return std::vector{exponential(b.input(0))}; }),
      {{Kind::store, {1}}});
  return all;
}

// Memory aligned like the executor's.
struct alignas(64) Line {
  char bytes[64];
};

void fill(Line& line, DType dtype) {
  for (size_t i = 0; i < sizeof(line.bytes); i += size_of(dtype)) {
    const float narrow = 0.37f;
    const double wide = 0.37;
    std::memcpy(line.bytes + i, dtype == DType::f32 ? static_cast<const void*>(&narrow) : &wide,
                size_of(dtype));
  }
}

void bench_loops(DType dtype) {
  fmt::print("{:<44}{:>10}{:>10}{:>10}{:>12}\n", name_of(dtype), "isa", "ns", "GB/s", "ops/ns");
  for (const Case& c : cases(dtype)) {
    int64_t elements = 1;
    for (int64_t extent : c.spec.extents) elements *= extent;
    int64_t full = 0, operations = 0;
    for (const auto& strides : c.spec.inputs) full += strides == dense(c.spec.extents);
    for (const auto& output : c.spec.outputs) full += output.strides == dense(c.spec.extents);
    for (const auto& i : c.spec.body.instructions) {
      operations += i.op != ScalarOp::input && i.op != ScalarOp::constant;
    }
    std::vector<std::vector<Line>> memory(c.spec.inputs.size() + c.spec.outputs.size());
    std::vector<void*> operands;
    for (auto& block : memory) {
      block.resize(static_cast<size_t>(elements) / 8 + 1);
      for (Line& line : block) fill(line, dtype);
      operands.push_back(block.data());
    }
    for (const Isa isa : {Isa::avx2, Isa::avx512}) {
      if (!machine_runs(isa)) continue;
      const Kernel kernel = make_loop(c.spec, isa);
      const double ns = time_call([&] { kernel(operands.data()); });
      const auto bytes =
          static_cast<double>(elements * full * static_cast<int64_t>(size_of(dtype)));
      fmt::print("{:<44}{:>10}{:>10.1f}{:>10.1f}{:>12.2f}\n", c.name, name_of(isa), ns, bytes / ns,
                 static_cast<double>(elements * operations) / ns);
    }
  }
}

void bench_moves(DType dtype) {
  const auto bytes = static_cast<int64_t>(size_of(dtype));
  struct MoveCase {
    std::string_view name;
    Move move;
  };
  const std::array all{
      MoveCase{"transpose 40x40", {{40, 40}, {1, 40}, {40, 1}}},
      MoveCase{"transpose 10x40", {{40, 10}, {1, 40}, {10, 1}}},
      MoveCase{"transpose 64x64, 9 times", {{9, 64, 64}, {4096, 1, 64}, {4096, 64, 1}}},
      MoveCase{"swap of the inner axes, 20x49x64", {{20, 64, 49}, {3136, 1, 64}, {3136, 49, 1}}},
      MoveCase{"rows of 64 in another order, 25x4", {{4, 25, 64}, {64, 256, 1}, {1600, 64, 1}}},
      MoveCase{"every second element, 40x40", {{40, 40}, {160, 2}, {40, 1}}},
  };
  for (const auto& [name, move] : all) {
    int64_t elements = 1;
    for (int64_t extent : move.extents) elements *= extent;
    std::vector<Line> source(static_cast<size_t>(elements) / 2 + 1), target(source.size());
    void* const operands[] = {source.data(), target.data()};
    for (const Isa isa : {Isa::avx2, Isa::avx512}) {
      if (!machine_runs(isa)) continue;
      const Kernel kernel = make_moves({static_cast<int>(bytes), {move}}, isa);
      const double ns = time_call([&] { kernel(operands); });
      fmt::print("{:<44}{:>10}{:>10.1f}{:>10.1f}\n", name, name_of(isa), ns,
                 static_cast<double>(2 * elements * bytes) / ns);
    }
  }
}

void bench_pooling(DType dtype) {
  const MaxPoolSpec spec{dtype, 5, 28, 28, 64};
  std::vector<Line> source(5 * 28 * 28 * 64 * size_of(dtype) / sizeof(Line)), target(source.size());
  for (Line& line : source) fill(line, dtype);
  void* const operands[] = {source.data(), target.data()};
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (!machine_runs(isa)) continue;
    const Kernel kernel = make_max_pool_index(spec, isa);
    const double ns = time_call([&] { kernel(operands); });
    fmt::print("{:<44}{:>10}{:>10.1f}\n", "places of maxima, 5x28x28x64", name_of(isa), ns);
  }
}

void bench_generation() {
  const std::vector<Case> all = cases(DType::f32);
  const double ns = time_call([&] {
    for (const Case& c : all) make_loop(c.spec, select_isa());
  });
  fmt::print("generation: {:.1f} us a kernel\n", 1e-3 * ns / static_cast<double>(all.size()));
}

}  // namespace
}  // namespace outerloop::exec

int main() {
  using namespace outerloop;
  exec::bench_loops(DType::f32);
  exec::bench_loops(DType::f64);
  exec::bench_moves(DType::f32);
  exec::bench_moves(DType::f64);
  exec::bench_pooling(DType::f32);
  exec::bench_generation();
}
