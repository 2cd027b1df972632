#include <cmath>

#include "matmul_check.h"

namespace outerloop::exec {
namespace {

struct Shape {
  int64_t m, n, k;
  int64_t batch = 1;
  bool transposed_a = false;
};

std::string to_string(const Shape& s, Isa isa, DType dtype, EpilogueKind kind) {
  return fmt::format("batch {} m {} n {} k {}{} {} {} epilogue {}", s.batch, s.m, s.n, s.k,
                     s.transposed_a ? " A^T" : "", name_of(isa), name_of(dtype),
                     static_cast<int>(kind));
}

// Rows of A, B and C lie `gap` elements apart.
void check(const Shape& s, DType dtype, EpilogueKind kind, int64_t gap, uint32_t seed) {
  MatmulSpec spec{.dtype = dtype, .batch = s.batch, .m = s.m, .n = s.n, .k = s.k};
  spec.a_row = s.transposed_a ? 1 : s.k + gap;
  spec.a_k = s.transposed_a ? s.m + gap : 1;
  spec.a_batch = s.m * s.k + gap * std::max(s.m, s.k);
  spec.b_k = s.n + gap;
  spec.b_batch = s.batch % 2 == 0 ? 0 : s.k * spec.b_k + 1;  // a shared B, too
  const int64_t c_row = s.n + gap;
  const EpilogueCase epilogue = make_epilogue(kind, dtype, s.m * (c_row + 7) + 2, c_row);
  spec.epilogue = epilogue.epilogue;
  std::vector<int64_t> counts{
      span_of({{s.batch, spec.a_batch}, {s.m, spec.a_row}, {s.k, spec.a_k}}),
      span_of({{s.batch, spec.b_batch}, {s.k, spec.b_k}, {s.n, 1}})};
  for (const int64_t count : operand_counts(spec.epilogue, s.batch, s.m, s.n)) {
    counts.push_back(count);
  }
  std::vector<int> aliases{-1, -1};
  for (const int alias : epilogue.aliases) aliases.push_back(alias < 0 ? alias : alias + 2);
  const Kernel oracle = make_matmul(spec, Isa::scalar);
  for (const Isa isa : generated_isas()) {
    expect_same_bits(make_matmul(spec, isa), oracle, dtype, counts, aliases, seed,
                     to_string(s, isa, dtype, kind));
  }
}

const Shape kShapes[] = {
    {10, 40, 40},
    {40, 10, 40},
    {40, 40, 10, 1, true},
    {64, 64, 64},
    {245, 64, 96},
    {5, 64, 64},
    {5, 5, 64},
    // One row, one column, one step, none.
    {1, 40, 40},
    {1, 1000, 3},
    {1, 1, 40},
    {1, 1, 1},
    {40, 1, 10, 1, true},
    {10, 1, 40},
    {10, 40, 1},
    {10, 40, 0},
    {0, 5, 5},
    {5, 0, 5},
    {4, 4, 4, 0},
    // Odd sizes.
    {31, 33, 17},
    {13, 129, 5},
    {100, 3, 7},
    {3, 257, 9},
    {29, 16, 8},
    {12, 48, 100},
    {2, 520, 11},
    // Half a vector at the end, of float32 (8 of 16) or float64 (4 of 8).
    {1, 24, 5},
    {2, 24, 40},
    {11, 40, 7},
    {37, 24, 3},
    {9, 72, 40, 2},
    {3, 12, 17},
    {18, 28, 9},
    {20, 20, 12, 1, true},
    // Batches.
    {10, 40, 40, 3},
    {5, 7, 9, 4, true},
    {1, 17, 4, 5},
    {9, 1, 6, 3, true},
    // Few columns and many rows: rows in the lanes.
    {100, 1, 37},
    {77, 3, 64},
    {70, 6, 16},
    {64, 2, 19},
    // Rows of B that share their places in the caches: packed panels.
    {100, 1024, 70},
    {40, 1024, 260, 2},
};

TEST(Matmul, EqualsTheOracleBitByBit) {
  uint32_t seed = 1;
  for (const Shape& shape : kShapes) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      check(shape, dtype, EpilogueKind::store, 0, ++seed);
      check(shape, dtype, EpilogueKind::store, 3, ++seed);
    }
  }
}

TEST(Matmul, EveryTailWidthAndHeight) {
  for (int64_t size = 1; size <= 36; ++size) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      check({5, size, 6}, dtype, EpilogueKind::store, 1, static_cast<uint32_t>(size));
      check({size, 5, 6}, dtype, EpilogueKind::store, 1, static_cast<uint32_t>(size));
      check({3, 18, size}, dtype, EpilogueKind::store, 1, static_cast<uint32_t>(size));
    }
  }
}

TEST(Matmul, RandomShapesAndEpilogues) {
  std::mt19937 generator(20);
  const auto draw = [&](uint32_t below) { return static_cast<int64_t>(generator() % below); };
  for (uint32_t i = 0; i < 300; ++i) {
    const Shape shape{draw(50) + 1, draw(90) + 1, draw(40), draw(4) == 0 ? draw(4) + 1 : 1,
                      draw(2) == 0};
    check(shape, draw(3) == 0 ? DType::f64 : DType::f32,
          kEpilogueKinds[static_cast<size_t>(draw(kEpilogueKinds.size()))], draw(3), i);
  }
}

TEST(Matmul, EpiloguesOnAccumulators) {
  uint32_t seed = 1;
  for (const EpilogueKind kind : kEpilogueKinds) {
    for (const Shape& shape :
         {Shape{10, 40, 40}, Shape{40, 40, 10, 2, true}, Shape{1, 300, 4}, Shape{31, 7, 5, 3},
          Shape{40, 1, 10, 1, true}, Shape{6, 64, 0}, Shape{90, 2, 40}}) {
      for (const DType dtype : {DType::f32, DType::f64}) check(shape, dtype, kind, 2, ++seed);
    }
  }
}

// The oracle itself against mathematics: a textbook product with wide accumulation.
TEST(Matmul, OracleIsAMatrixProduct) {
  const int64_t m = 7, n = 5, k = 9;
  const MatmulSpec spec{
      .m = m, .n = n, .k = k, .a_row = k, .b_k = n, .epilogue = store_epilogue(DType::f32, 0, n)};
  const OperandSet set = OperandSet::random<float>({m * k, k * n, m * n}, {}, 3);
  make_matmul(spec, Isa::scalar)(set.pointers());
  const auto* a = static_cast<const float*>(set.pointers()[0]);
  const auto* b = static_cast<const float*>(set.pointers()[1]);
  const auto* c = static_cast<const float*>(set.pointers()[2]);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) sum += static_cast<double>(a[i * k + p]) * b[p * n + j];
      EXPECT_NEAR(c[i * n + j], sum, 1e-5);
    }
  }
}

}  // namespace
}  // namespace outerloop::exec
