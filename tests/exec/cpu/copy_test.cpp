// Moves and index kernels against their definitions, with sentinels around what they write.

#include "exec/cpu/copy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

constexpr int64_t kSentinels = 40;

class MoveTest : public ::testing::TestWithParam<std::tuple<Isa, int>> {
 protected:
  void SetUp() override {
    if (!machine_runs(isa())) GTEST_SKIP() << "this processor has no " << name_of(isa());
  }
  Isa isa() const { return std::get<0>(GetParam()); }
  int bytes() const { return std::get<1>(GetParam()); }

  // Elements of the target and its surroundings that the kernel got wrong. Every source holds
  // different bit patterns, among them signalling NaNs.
  int64_t differences(const MoveSpec& spec, int64_t elements) {
    std::vector<std::vector<uint64_t>> sources;
    std::vector<void*> operands;
    const auto words = static_cast<size_t>((elements + 2 * kSentinels) * bytes() / 8 + 1);
    for (size_t m = 0; m < spec.moves.size(); ++m) {
      std::vector<uint64_t> source(extent_of_source(spec.moves[m]) + 1);
      for (uint64_t& word : source) word = random_();
      sources.push_back(std::move(source));
    }
    for (auto& source : sources) operands.push_back(source.data());
    std::vector<uint64_t> actual(words, 0x7ff0123478123456), expected = actual;
    char* target = reinterpret_cast<char*>(expected.data()) + kSentinels * bytes();
    if (spec.fills) std::memset(target, 0, static_cast<size_t>(spec.target_elements * bytes()));
    for (size_t m = 0; m < spec.moves.size(); ++m) {
      define(spec.moves[m], reinterpret_cast<char*>(sources[m].data()), target);
    }
    operands.push_back(reinterpret_cast<char*>(actual.data()) + kSentinels * bytes());
    make_moves(spec, isa())(operands.data());
    int64_t result = 0;
    for (size_t i = 0; i < words; ++i) result += actual[i] != expected[i];
    return result;
  }

 private:
  static size_t extent_of_source(const Move& move) {
    int64_t last = move.source_offset;
    for (size_t a = 0; a < move.extents.size(); ++a) {
      last += std::max<int64_t>(0, move.extents[a] - 1) * move.source[a];
    }
    return static_cast<size_t>(last) + 1;
  }

  void define(const Move& move, const char* source, char* target) const {
    int64_t count = 1;
    for (int64_t extent : move.extents) count *= extent;
    for (int64_t i = 0; i < count; ++i) {
      int64_t left = i, from = move.source_offset, to = move.target_offset;
      for (size_t a = move.extents.size(); a-- > 0;) {
        from += left % move.extents[a] * move.source[a];
        to += left % move.extents[a] * move.target[a];
        left /= move.extents[a];
      }
      std::memcpy(target + to * bytes(), source + from * bytes(), static_cast<size_t>(bytes()));
    }
  }

  std::mt19937_64 random_{7};
};

TEST_P(MoveTest, TransposesOfEverySize) {
  for (int64_t rows = 1; rows <= 35; ++rows) {
    for (int64_t columns = 1; columns <= 35; ++columns) {
      const MoveSpec spec{bytes(), {{{columns, rows}, {1, columns}, {rows, 1}}}};
      ASSERT_EQ(differences(spec, rows * columns), 0) << rows << "x" << columns;
    }
  }
}

TEST_P(MoveTest, BatchesOfTransposes) {
  for (const auto& [batch, rows, columns] :
       {std::array<int64_t, 3>{9, 64, 64}, {3, 40, 40}, {2, 100, 17}, {5, 1, 40}, {0, 4, 4}}) {
    const int64_t matrix = rows * columns;
    const MoveSpec spec{bytes(),
                        {{{batch, columns, rows}, {matrix, 1, columns}, {matrix, rows, 1}}}};
    EXPECT_EQ(differences(spec, batch * matrix), 0) << batch << " of " << rows << "x" << columns;
  }
}

// Every order of the axes of a small tensor, whole and cut out of a larger one.
TEST_P(MoveTest, PermutationsOfFourAxes) {
  const std::array<int64_t, 4> extents{3, 5, 2, 19};
  std::array<size_t, 4> order{0, 1, 2, 3};
  do {
    for (const int64_t margin : {0, 1}) {
      std::array<int64_t, 4> strides{};
      int64_t stride = 1;
      for (size_t a = 4; a-- > 0;) {
        strides[a] = stride;
        stride *= extents[a] + margin;
      }
      Move move{.source_offset = 3 * margin};
      for (size_t a : order) {
        move.extents.push_back(extents[a]);
        move.source.push_back(strides[a]);
      }
      move.target.assign(4, 1);
      for (size_t a = 3; a-- > 0;) move.target[a] = move.target[a + 1] * move.extents[a + 1];
      EXPECT_EQ(differences({bytes(), {move}}, 3 * 5 * 2 * 19), 0)
          << fmt::format("{}", fmt::join(order, ","));
    }
  } while (std::ranges::next_permutation(order).found);
}

TEST_P(MoveTest, SevenAxes) {
  const Move move{{2, 3, 2, 3, 2, 3, 2}, {3, 1, 9, 36, 18, 108, 324}, {216, 72, 36, 12, 6, 2, 1}};
  EXPECT_EQ(differences({bytes(), {move}}, 432), 0);
}

TEST_P(MoveTest, SlicesWithSteps) {
  for (int64_t step : {1, 2, 3}) {
    const Move move{{7, 11}, {40 * step, step}, {11, 1}, 41, 0};
    EXPECT_EQ(differences({bytes(), {move}}, 77), 0) << step;
  }
}

TEST_P(MoveTest, PaddingFillsWithZero) {
  for (int64_t interior : {0, 1}) {
    const Move move{{6, 9}, {9, 1}, {30 * (interior + 1), interior + 1}, 0, 30 * 2 + 3};
    EXPECT_EQ(differences({bytes(), {move}, true, 20 * 30}, 20 * 30), 0) << interior;
  }
}

TEST_P(MoveTest, ConcatenationOfThree) {
  MoveSpec spec{bytes()};
  int64_t offset = 0;
  for (int64_t columns : {5, 16, 1}) {
    spec.moves.push_back({{4, columns}, {columns, 1}, {22, 1}, 0, offset});
    offset += columns;
  }
  EXPECT_EQ(differences(spec, 4 * 22), 0);
}

TEST_P(MoveTest, BroadcastsRepeatElements) {
  for (const Move& move :
       {Move{{5, 21}, {0, 1}, {21, 1}}, Move{{5, 21}, {1, 0}, {21, 1}},
        Move{{5, 21}, {0, 0}, {21, 1}}, Move{{3, 5, 7}, {7, 0, 1}, {35, 7, 1}}}) {
    EXPECT_EQ(differences({bytes(), {move}}, 105), 0);
  }
}

TEST_P(MoveTest, OtherElementSizesAreRefused) {
  EXPECT_THROW(make_moves({.element_bytes = 2}, isa()), BadInput);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, MoveTest,
                         ::testing::Combine(::testing::Values(Isa::scalar, Isa::avx2, Isa::avx512),
                                            ::testing::Values(4, 8)),
                         [](const auto& test) {
                           return fmt::format("{}_{}", name_of(std::get<0>(test.param)),
                                              std::get<1>(test.param));
                         });

template <class T>
class IndexTest : public ::testing::Test {
 protected:
  std::vector<T> values(int64_t count) {
    std::vector<T> result(static_cast<size_t>(count));
    std::uniform_real_distribution<double> uniform(-1, 1);
    for (T& value : result) value = static_cast<T>(uniform(random_));
    return result;
  }
  // With repetitions.
  std::vector<int32_t> indices(int64_t count, int64_t below) {
    std::vector<int32_t> result(static_cast<size_t>(count));
    for (int32_t& i : result) i = static_cast<int32_t>(random_() % static_cast<uint64_t>(below));
    return result;
  }
  // Runs the kernel on an output between sentinels; true when it equals `expected` bit for bit.
  static bool gives(const Kernel& kernel, std::vector<void*> inputs,
                    const std::vector<T>& expected) {
    std::vector<T> framed(expected.size() + 2 * kSentinels, T(-777));
    inputs.push_back(framed.data() + kSentinels);
    kernel(inputs.data());
    std::vector<T> wanted(framed.size(), T(-777));
    std::ranges::copy(expected, wanted.begin() + kSentinels);
    return std::memcmp(framed.data(), wanted.data(), framed.size() * sizeof(T)) == 0;
  }
  // Every one that this processor has; the others are named as skipped.
  template <class Test>
  static void on_each_isa(const Test& test) {
    std::string missing;
    for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
      if (machine_runs(isa)) {
        test(isa);
      } else {
        missing += fmt::format(" {}", name_of(isa));
      }
    }
    if (!missing.empty()) GTEST_SKIP() << "this processor has no" << missing;
  }
  static constexpr DType kType = outerloop::dtype_of<T>;
  std::mt19937_64 random_{11};
};
using FloatTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(IndexTest, FloatTypes);

TYPED_TEST(IndexTest, RowsAreGatheredAndAdded) {
  this->on_each_isa([&](Isa isa) {
    for (const int64_t outer : {1, 3}) {
      for (const int64_t inner : {1, 2, 7, 40, 65}) {
        const RowsSpec spec{this->kType, outer, 6, inner, 17};
        auto x = this->values(outer * 6 * inner);
        auto u = this->values(outer * 17 * inner);
        auto index = this->indices(17, 6);
        std::vector<TypeParam> gathered(u.size()), added(x.size(), TypeParam{0});
        for (int64_t o = 0; o < outer; ++o) {
          for (int64_t j = 0; j < 17; ++j) {
            for (int64_t i = 0; i < inner; ++i) {
              const auto large =
                  static_cast<size_t>((o * 6 + index[static_cast<size_t>(j)]) * inner + i);
              const auto small = static_cast<size_t>((o * 17 + j) * inner + i);
              gathered[small] = x[large];
              added[large] += u[small];
            }
          }
        }
        EXPECT_TRUE(this->gives(make_gather_rows(spec, isa), {x.data(), index.data()}, gathered));
        EXPECT_TRUE(this->gives(make_scatter_add_rows(spec, isa), {u.data(), index.data()}, added));
      }
    }
  });
}

TYPED_TEST(IndexTest, SingleElementsAreTakenAndAdded) {
  auto x = this->values(23);
  auto u = this->values(100);
  auto index = this->indices(100, 23);
  std::vector<TypeParam> taken(100), added(23, TypeParam{0});
  for (size_t i = 0; i < 100; ++i) {
    taken[i] = x[static_cast<size_t>(index[i])];
    added[static_cast<size_t>(index[i])] += u[i];
  }
  EXPECT_TRUE(this->gives(make_take(this->kType, 100), {x.data(), index.data()}, taken));
  EXPECT_TRUE(this->gives(make_scatter_add(this->kType, 100, 23), {u.data(), index.data()}, added));
}

TYPED_TEST(IndexTest, OneElementPerRow) {
  auto x = this->values(25 * 5);
  auto u = this->values(25);
  auto index = this->indices(25, 5);
  std::vector<TypeParam> taken(25), put(25 * 5, TypeParam{0}), hot(25 * 5, TypeParam{0});
  for (size_t i = 0; i < 25; ++i) {
    const size_t place = i * 5 + static_cast<size_t>(index[i]);
    taken[i] = x[place];
    put[place] = u[i];
    hot[place] = 1;
  }
  EXPECT_TRUE(this->gives(make_take_per_row(this->kType, 25, 5), {x.data(), index.data()}, taken));
  EXPECT_TRUE(this->gives(make_put_per_row(this->kType, 25, 5), {u.data(), index.data()}, put));
  EXPECT_TRUE(this->gives(make_one_hot(this->kType, 25, 5), {index.data()}, hot));
}

TYPED_TEST(IndexTest, MaximaOfPoolingWindows) {
  using T = TypeParam;
  this->on_each_isa([&](Isa isa) {
    for (const int64_t channels : {1, 3, 16, 64, 70}) {
      for (const auto& [height, width, window, stride] :
           {std::array<int64_t, 4>{6, 8, 2, 2}, {7, 7, 2, 2}, {7, 9, 3, 2}, {4, 4, 1, 1}}) {
        const MaxPoolSpec spec{this->kType, 2, height, width, channels, window, stride};
        auto x = this->values(2 * height * width * channels);
        for (size_t i = 0; i < x.size(); ++i) {
          if (i % 5 == 0) x[i] = T(0.5);  // equal ones
          if (i % 11 == 0) x[i] = std::numeric_limits<T>::quiet_NaN();
        }
        std::vector<int32_t> expected;
        for (int64_t image = 0; image < 2; ++image) {
          for (int64_t row = 0; row <= (height - window) / stride; ++row) {
            for (int64_t column = 0; column <= (width - window) / stride; ++column) {
              for (int64_t c = 0; c < channels; ++c) {
                const auto place = [&](int64_t p, int64_t q) {
                  return ((image * height + row * stride + p) * width + column * stride + q) *
                             channels +
                         c;
                };
                int64_t best = place(0, 0);
                for (int64_t tap = 0; tap < window * window; ++tap) {
                  const int64_t other = place(tap / window, tap % window);
                  if (x[static_cast<size_t>(other)] > x[static_cast<size_t>(best)]) best = other;
                }
                expected.push_back(static_cast<int32_t>(best));
              }
            }
          }
        }
        std::vector<int32_t> actual(expected.size() + 1, -777);
        void* const operands[] = {x.data(), actual.data()};
        make_max_pool_index(spec, isa)(operands);
        expected.push_back(-777);
        EXPECT_EQ(actual, expected) << name_of(isa) << " " << height << "x" << width;
      }
    }
  });
}

}  // namespace
}  // namespace outerloop::exec
