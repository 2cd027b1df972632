#include "outerloop/interp/mlp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <thread>

#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/interp/permutation_importance.h"
#include "outerloop/io/export.h"
#include "support/message_of.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

// Weights and rows that any program can make again.
Mlp wave_mlp(const std::vector<size_t>& widths, MlpActivation activation) {
  Mlp mlp{.layers = {}, .activation = activation};
  for (size_t l = 1; l < widths.size(); ++l) {
    MlpLayer layer{.inputs = widths[l - 1], .outputs = widths[l], .weight = {}, .bias = {}};
    const auto start = static_cast<double>(l);
    for (size_t i = 0; i < layer.inputs; ++i) {
      for (size_t o = 0; o < layer.outputs; ++o) {
        layer.weight.push_back(
            std::cos(start + 2 * static_cast<double>(i) + 5 * static_cast<double>(o)));
      }
    }
    for (size_t o = 0; o < layer.outputs; ++o) {
      layer.bias.push_back(std::sin(start + static_cast<double>(o)));
    }
    mlp.layers.push_back(layer);
  }
  return mlp;
}

Numbers wave_rows(size_t rows, size_t columns) {
  Numbers x;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j)
      x.push_back(std::sin(1.0 + 3.0 * double(i) + double(j * j)));
  }
  return x;
}

// The network by its definition, on copied rows.
void apply(const Mlp& mlp, std::span<const double> row, std::span<double> out) {
  Numbers h(row.begin(), row.end());
  for (const MlpLayer& layer : mlp.layers) {
    Numbers next = layer.bias;
    for (size_t i = 0; i < layer.inputs; ++i) {
      for (size_t o = 0; o < next.size(); ++o) next[o] += h[i] * layer.weight[i * next.size() + o];
    }
    h = next;
    if (&layer == &mlp.layers.back()) break;
    for (double& v : h) v = mlp.activation == MlpActivation::relu ? std::max(v, 0.0) : std::tanh(v);
  }
  double total = 0;
  for (double& v : h) total += h.size() > 1 ? v = std::exp(v) : 1;
  for (size_t o = 0; o < h.size(); ++o) out[o] = h[o] / total;
}

BlockModel by_definition(const Mlp& mlp) {
  const size_t width = mlp.outputs();
  return gathering(
      {.width = width, .predict = [mlp, width](const TableView& x, std::span<double> out) {
         for (size_t i = 0; i < x.rows(); ++i) {
           apply(mlp, x.row(i), out.subspan(i * width, width));
         }
       }});
}

struct MlpCase {
  const char* name;
  std::vector<size_t> widths;
  MlpActivation activation;
  Exchange exchange;
  std::vector<FeatureGroup> groups;
  bool with_residuals = false;
};

// Eight rows from 0 to 63, each of which is asked for eight times: a block that begins and ends
// like that of rows side by side.
Numbers eight_of_a_class_and_the_rest() {
  Numbers classes(200, 1);
  for (size_t i = 0; i < 8; ++i) classes[9 * i] = 0;
  return classes;
}

std::vector<MlpCase> cases() {
  const std::vector<FeatureGroup> pairs = {{"", {0, 2}}, {"", {1}}};
  const KeyedDraws all = {.seed = 3, .rows = 200, .samples = 200, .repeats = 2};
  const KeyedDraws some = {.seed = 3, .rows = 200, .samples = 70, .repeats = 2};
  return {{"AllRows", {3, 40, 17, 1}, MlpActivation::relu, keyed_exchange(all), pairs},
          {"SomeRows", {3, 33, 1}, MlpActivation::tanh, keyed_exchange(some), pairs},
          {"AsScikitLearn",
           {3, 8, 8, 8, 1},
           MlpActivation::relu,
           sklearn_exchange(sklearn_draws(1, 200, 200, 2)),
           pairs},
          {"AllDonors", {3, 16, 4}, MlpActivation::tanh, exact_exchange(200), pairs},
          {"DonorsOfAClass",
           {3, 16, 4},
           MlpActivation::tanh,
           exact_exchange(200, eight_of_a_class_and_the_rest()),
           pairs},
          {"NoHiddenLayer", {3, 1}, MlpActivation::relu, keyed_exchange(all), pairs},
          {"Residuals", {3, 16, 1}, MlpActivation::relu, keyed_exchange(all), pairs, true}};
}

Importance importance_of(const BlockModel& model, const MlpCase& c, const TableView& x) {
  Numbers y(x.rows());
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = model.width > 1 ? double(i % model.width) : std::cos(double(i));
  }
  const Metric& metric = metric_named(model.width > 1 ? "log_loss" : "mse");
  Numbers residuals;
  if (c.with_residuals) residuals = ridge_residuals(x, c.groups, 0.5);
  return permutation_importance({.model = model,
                                 .x = x,
                                 .targets = y,
                                 .weights = {},
                                 .metrics = {&metric, 1},
                                 .groups = c.groups,
                                 .residuals = residuals},
                                c.exchange)[0];
}

TEST(MlpOnTable, ImportanceIsThatOfTheNetworkOnCopiedRows) {
  const Numbers rows = wave_rows(200, 3);
  const TableView x(rows, 3);
  for (const MlpCase& c : cases()) {
    const Mlp mlp = wave_mlp(c.widths, c.activation);
    const Importance expected = importance_of(by_definition(mlp), c, x);
    for (const auto& [precision, tolerance] :
         {std::pair{MlpPrecision::float64, 1e-12}, std::pair{MlpPrecision::float32, 1e-5}}) {
      const Importance found = importance_of(mlp_on_table(mlp, x, precision), c, x);
      const double scale = 1 + std::abs(expected.baseline);
      EXPECT_NEAR(found.baseline, expected.baseline, tolerance * scale) << c.name;
      for (size_t i = 0; i < expected.decreases.size(); ++i) {
        EXPECT_NEAR(found.decreases[i], expected.decreases[i], tolerance * scale) << c.name << i;
      }
    }
  }
}

// scikit-learn 1.9.1: MLPRegressor and MLPClassifier with these weights, random_state = 42.
TEST(MlpOnTable, HasTheNumbersOfScikitLearn) {
  const Numbers rows = wave_rows(24, 3);
  const TableView x(rows, 3);
  const std::vector<FeatureGroup> groups = {{"", {0}}, {"", {1}}, {"", {2}}};
  struct Golden {
    Mlp mlp;
    const char* metric;
    std::function<double(int)> target;
    double baseline;
    Numbers decreases;
  };
  const Golden golden[] = {{wave_mlp({3, 5, 4, 1}, MlpActivation::relu),
                            "r2",
                            [](int i) { return std::cos(0.5 * i); },
                            -2.237426639498632,
                            {0.8913934868988287, 0.6913453287386395, -0.647266900749528,
                             -1.826954659349346, -0.7656442960008709, -1.3567360394616268}},
                           {wave_mlp({3, 6, 3}, MlpActivation::tanh),
                            "log_loss",
                            [](int i) { return double(i * 7 / 4 % 3); },
                            -1.326187789895905,
                            {0.10667626604542524, 0.031645665995608585, 0.020769821527211185,
                             -0.008830905190526206, 0.01929267747876473, 0.10046992339343008}}};
  for (const Golden& g : golden) {
    Numbers y;
    for (int i = 0; i < 24; ++i) y.push_back(g.target(i));
    const Importance found =
        permutation_importance({.model = mlp_on_table(g.mlp, x, MlpPrecision::float64),
                                .x = x,
                                .targets = y,
                                .weights = {},
                                .metrics = {&metric_named(g.metric), 1},
                                .groups = groups},
                               sklearn_exchange(sklearn_draws(42, 24, 24, 2)))[0];
    EXPECT_NEAR(found.baseline, g.baseline, 1e-12) << g.metric;
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(found.decreases[i], g.decreases[i], 1e-12) << i;
  }
}

// Any cut into blocks, on any thread, with other groups in between.
TEST(MlpOnTable, GivesARowTheSameBitsInAnyCompany) {
  constexpr size_t kRows = 300;
  const Numbers values = wave_rows(kRows, 7);
  const TableView x(values, 7);
  const BlockModel model =
      mlp_on_table(wave_mlp({7, 21, 9, 1}, MlpActivation::tanh), x, MlpPrecision::float32);
  std::vector<uint32_t> rows(kRows), donors(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  std::ranges::reverse_copy(rows, donors.begin());
  const std::vector<uint32_t> columns = {2, 5};
  const GatheredRows all{.x = &x, .rows = rows, .columns = columns, .donors = donors};
  Numbers whole(kRows);
  model.predict(all, whole);
  const auto cut = [&](size_t length) {
    Numbers result(kRows), ignored(kRows);
    for (size_t begin = 0; begin < kRows; begin += length) {
      const size_t count = std::min(length, kRows - begin);
      model.predict(all.part(begin, count), std::span(result).subspan(begin, count));
      model.predict({.x = &x, .rows = rows}, ignored);
    }
    return result;
  };
  for (const size_t length : {1UL, 64UL, 100UL, 299UL}) EXPECT_EQ(cut(length), whole) << length;
  std::vector<Numbers> found(4);
  {
    std::vector<std::jthread> threads;
    for (Numbers& one : found) threads.emplace_back([&] { one = cut(50); });
  }
  for (const Numbers& one : found) EXPECT_EQ(one, whole);
}

TEST(MlpOnTable, WhatIsConstantOrNotReadHasNoImportanceAtAll) {
  constexpr size_t kRows = 130, kColumns = 4;
  Numbers values = wave_rows(kRows, kColumns);
  for (size_t i = 0; i < kRows; ++i) values[i * kColumns] = 0.1;
  const TableView x(values, kColumns);
  Mlp mlp = wave_mlp({kColumns, 12, 1}, MlpActivation::relu);
  for (size_t h = 0; h < 12; ++h) mlp.layers[0].weight[2 * 12 + h] = 0;
  const MlpCase c = {
      .name = "",
      .widths = {},
      .activation = {},
      .exchange = keyed_exchange({.seed = 1, .rows = kRows, .samples = 90, .repeats = 5}),
      .groups = {{"", {0}}, {"", {2}}, {"", {0, 2}}, {"", {1}}}};
  const Importance found = importance_of(mlp_on_table(mlp, x, MlpPrecision::float32), c, x);
  EXPECT_EQ(Numbers(found.decreases.begin(), found.decreases.begin() + 15), Numbers(15, 0.0));
  EXPECT_NE(found.mean[3], 0);
}

// ---- Files -----------------------------------------------------------------------------------

Tensor matrix(const MlpLayer& layer, bool outputs_first) {
  const auto inputs = static_cast<int64_t>(layer.inputs);
  const auto outputs = static_cast<int64_t>(layer.outputs);
  if (!outputs_first) return Tensor::from<double>({inputs, outputs}, layer.weight);
  Numbers swapped;
  for (size_t o = 0; o < layer.outputs; ++o) {
    for (size_t i = 0; i < layer.inputs; ++i)
      swapped.push_back(layer.weight[i * layer.outputs + o]);
  }
  return Tensor::from<double>({outputs, inputs}, swapped);
}

Tensor offsets(const MlpLayer& layer) {
  return Tensor::from<double>({static_cast<int64_t>(layer.outputs)}, layer.bias);
}

TEST(ReadMlp, TakesTheNamesOfOuterloopAndOfPyTorch) {
  const TemporaryFolder folder;
  const Mlp mlp = wave_mlp({3, 5, 4, 2}, MlpActivation::tanh);
  const auto& l = mlp.layers;
  const auto part = [&](size_t i, bool outputs_first) { return matrix(l[i], outputs_first); };
  const io::TensorTree trees[] = {{{"net/dense1/weight", part(0, false)},
                                   {"net/dense1/bias", offsets(l[0])},
                                   {"net/dense2/weight", part(1, false)},
                                   {"net/dense2/bias", offsets(l[1])},
                                   {"net/head/bias", offsets(l[2])},
                                   {"net/head/weight", part(2, false)}},
                                  {{"layer10.weight", part(2, true)},
                                   {"layer10.bias", offsets(l[2])},
                                   {"layer2.weight", part(1, true)},
                                   {"layer2.bias", offsets(l[1])},
                                   {"layer1.weight", part(0, true)},
                                   {"layer1.bias", offsets(l[0])}},
                                  {{"parameters/net/head/weight", Tensor::scalar(1.0)},
                                   {"optimizer/m", Tensor::scalar(1.0)},
                                   {"ema/0.weight", part(0, true)},
                                   {"ema/0.bias", offsets(l[0])},
                                   {"ema/2.weight", part(1, true)},
                                   {"ema/2.bias", offsets(l[1])},
                                   {"ema/4.weight", part(2, true)},
                                   {"ema/4.bias", offsets(l[2])}}};
  for (const io::TensorTree& tree : trees) {
    io::write_safetensors(folder / "a", tree);
    const Mlp found = read_mlp(folder / "a", MlpActivation::tanh);
    EXPECT_EQ(found.shape(), "3-5-4-2");
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(found.layers[i].weight, l[i].weight) << tree[0].name << i;
      EXPECT_EQ(found.layers[i].bias, l[i].bias) << tree[0].name << i;
    }
  }
  io::write_npz(folder / "b", {{"layer1.weight", part(0, true)}});
  EXPECT_EQ(read_mlp(folder / "b", MlpActivation::relu).layers[0].bias, Numbers(5, 0.0));
}

TEST(ReadMlp, RefusesWhatIsNoPlainNetwork) {
  const Tensor w32(DType::f32, {3, 2}), w33(DType::f32, {3, 3}), b2(DType::f32, {2});
  const std::pair<io::TensorTree, const char*> trees[] = {
      {{}, "holds no tensors"},
      {{{"layer1.weight", w32}, {"norm1/scale", b2}}, "there is 'norm1/scale'"},
      {{{"net/norm1/weight", w32}}, "there is 'net/norm1/weight'"},
      {{{"layer1.weight", w32}, {"fc1.bias", b2}}, "there is 'fc1.bias'"},
      {{{"layer1.bias", b2}}, "layer layer1 has no weight that is a matrix"},
      {{{"layer1.weight", b2}}, "layer layer1 has no weight that is a matrix"},
      {{{"layer1.weight", w32}, {"layer1.bias", b2}}, "has 3 outputs but a bias of 2"},
      {{{"layer1.weight", w32}, {"layer2.weight", w32}},
       "layer layer2 takes 2 inputs, the one before gives 3"},
      {{{"layer1.weight", Tensor::from<double>({1, 1}, {INFINITY})}}, "not finite"}};
  const TemporaryFolder folder;
  for (const auto& [tree, message] : trees) {
    io::write_safetensors(folder / "a", tree);
    EXPECT_CONTAINS(message_of<BadInput>([&] { read_mlp(folder / "a", MlpActivation::relu); }),
                    message);
  }
}

}  // namespace
}  // namespace outerloop::interp
