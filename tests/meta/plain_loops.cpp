#include "meta/plain_loops.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace outerloop::plain {

template <class Number>
std::vector<Number>& Arrays<Number>::operator[](const std::string& name) {
  for (auto& [own, values] : entries) {
    if (own == name) return values;
  }
  return entries.emplace_back(name, std::vector<Number>{}).second;
}

template <class Number>
const std::vector<Number>& Arrays<Number>::at(const std::string& name) const {
  for (const auto& [own, values] : entries) {
    if (own == name) return values;
  }
  throw std::out_of_range(name);
}

template <class Number>
bool Arrays<Number>::contains(const std::string& name) const {
  return std::ranges::any_of(entries, [&](const auto& entry) { return entry.first == name; });
}

template struct Arrays<Dual>;
template struct Arrays<Scalar>;

Rows constants(const std::vector<std::vector<double>>& rows) {
  Rows result;
  for (const auto& row : rows) result.emplace_back(row.begin(), row.end());
  return result;
}

Scalars leaves(Tape& tape, const Values& values) {
  Scalars result;
  for (const auto& [name, numbers] : values.entries) {
    for (const Dual number : numbers) result[name].push_back(leaf(tape, number));
  }
  return result;
}

Scalar relu(const Scalar& x) {
  return max(x, Scalar(0.0));
}

namespace {

// (inputs, outputs) times a row, plus a bias.
Row dense(const Row& x, const std::vector<Scalar>& weight, const std::vector<Scalar>& bias) {
  Row y = bias;
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t o = 0; o < y.size(); ++o) y[o] = y[o] + x[i] * weight[i * y.size() + o];
  }
  return y;
}

// (row, column, channel) of one example.
struct Image {
  size_t side = 0;
  size_t channels = 0;
  Row values;
  const Scalar& at(size_t i, size_t j, size_t c) const {
    return values[(i * side + j) * channels + c];
  }
};

// 3 x 3, SAME; the padding of stride 2 is (0, 1) on even sides and (1, 1) on odd ones.
Image convolve(const Image& x, const Row& weight, const Row& bias, size_t stride) {
  const size_t before = stride == 1 || x.side % 2 == 1 ? 1 : 0;
  Image y{(x.side + stride - 1) / stride, bias.size(), {}};
  for (size_t i = 0; i < y.side; ++i) {
    for (size_t j = 0; j < y.side; ++j) {
      for (size_t o = 0; o < y.channels; ++o) {
        Scalar sum = bias[o];
        for (size_t p = 0; p < 3; ++p) {
          for (size_t q = 0; q < 3; ++q) {
            const size_t row = i * stride + p;  // of the padded image
            const size_t column = j * stride + q;
            if (row < before || row - before >= x.side) continue;
            if (column < before || column - before >= x.side) continue;
            for (size_t c = 0; c < x.channels; ++c) {
              sum = sum + x.at(row - before, column - before, c) *
                              weight[((p * 3 + q) * x.channels + c) * y.channels + o];
            }
          }
        }
        y.values.push_back(sum);
      }
    }
  }
  return y;
}

// Over all rows and places of a channel, then ReLU.
void normalise(std::vector<Image>& images, const Row& scale, const Row& shift, double epsilon) {
  const size_t channels = images[0].channels;
  const double count = static_cast<double>(images.size() * images[0].values.size() / channels);
  for (size_t c = 0; c < channels; ++c) {
    Scalar mean = 0;
    Scalar variance = 0;
    for (const Image& x : images) {
      for (size_t e = c; e < x.values.size(); e += channels) mean = mean + x.values[e] / count;
    }
    for (const Image& x : images) {
      for (size_t e = c; e < x.values.size(); e += channels) {
        variance = variance + (x.values[e] - mean) * (x.values[e] - mean) / count;
      }
    }
    const Scalar deviation = sqrt(variance + epsilon);
    for (Image& x : images) {
      for (size_t e = c; e < x.values.size(); e += channels) {
        x.values[e] = relu((x.values[e] - mean) / deviation * scale[c] + shift[c]);
      }
    }
  }
}

Image pool(const Image& x) {
  Image y{x.side / 2, x.channels, {}};
  for (size_t i = 0; i < y.side; ++i) {
    for (size_t j = 0; j < y.side; ++j) {
      for (size_t c = 0; c < x.channels; ++c) {
        y.values.push_back(max(max(x.at(2 * i, 2 * j, c), x.at(2 * i, 2 * j + 1, c)),
                               max(x.at(2 * i + 1, 2 * j, c), x.at(2 * i + 1, 2 * j + 1, c))));
      }
    }
  }
  return y;
}

Row mean_over_space(const Image& x) {
  Row result(x.channels, Scalar(0.0));
  const double places = static_cast<double>(x.side * x.side);
  for (size_t e = 0; e < x.values.size(); ++e) {
    result[e % x.channels] = result[e % x.channels] + x.values[e] / places;
  }
  return result;
}

}  // namespace

Rows mlp(const Scalars& theta, const Rows& x, Scalar (*activation)(const Scalar&), bool linear) {
  Rows rows = x;
  for (int l = 1; theta.contains(fmt::format("W{}", l)); ++l) {
    const bool last = !theta.contains(fmt::format("W{}", l + 1));
    for (Row& row : rows) {
      row = dense(row, theta.at(fmt::format("W{}", l)), theta.at(fmt::format("b{}", l)));
      if (last && linear) continue;
      for (Scalar& value : row) value = activation(value);
    }
  }
  return rows;
}

Rows conv_net(const Scalars& theta, const Rows& images, bool max_pooling, double epsilon) {
  std::vector<Image> batch;
  for (const Row& row : images) {
    batch.push_back({static_cast<size_t>(std::lround(std::sqrt(row.size()))), 1, row});
  }
  for (int l = 1; theta.contains(fmt::format("conv_w{}", l)); ++l) {
    const auto part = [&](const char* name) { return theta.at(fmt::format("{}{}", name, l)); };
    for (Image& x : batch) x = convolve(x, part("conv_w"), part("conv_b"), max_pooling ? 1 : 2);
    normalise(batch, part("bn_scale"), part("bn_shift"), epsilon);
    if (!max_pooling) continue;
    for (Image& x : batch) x = pool(x);
  }
  Rows logits;
  for (const Image& x : batch) {
    const Row features = max_pooling ? x.values : mean_over_space(x);
    logits.push_back(dense(features, theta.at("fc_w"), theta.at("fc_b")));
  }
  return logits;
}

Scalar mean_square_error(const Rows& outputs, const std::vector<std::vector<double>>& y) {
  Scalar total = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (size_t o = 0; o < outputs[i].size(); ++o) {
      const Scalar error = outputs[i][o] - y[i][o];
      total = total + error * error;
    }
  }
  return total / static_cast<double>(outputs.size() * outputs[0].size());
}

Scalar cross_entropy(const Rows& logits, const std::vector<std::vector<double>>& y) {
  Scalar total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    Scalar sum = 0;
    for (const Scalar& logit : logits[i]) sum = sum + exp(logit);
    total = total + log(sum) - logits[i][static_cast<size_t>(y[i][0])];
  }
  return total / static_cast<double>(logits.size());
}

Gradient gradient(const Values& at, const std::function<Scalar(const Scalars&)>& loss) {
  Tape tape;
  const Scalars theta = leaves(tape, at);
  const Scalar result = loss(theta);
  const std::vector<Dual> slopes = tape.sweep(result.place);
  Gradient gradient{result.value, {}};
  for (const auto& [name, scalars] : theta.entries) {
    std::vector<Dual>& own = gradient.by[name];
    for (const Scalar& scalar : scalars) own.push_back(slopes[static_cast<size_t>(scalar.place)]);
  }
  return gradient;
}

Rows solve(Rows a, Rows b) {
  for (size_t p = 0; p < a.size(); ++p) {
    for (size_t i = 0; i < a.size(); ++i) {
      if (i == p) continue;
      const Scalar factor = a[i][p] / a[p][p];
      for (size_t j = p; j < a.size(); ++j) a[i][j] = a[i][j] - factor * a[p][j];
      for (size_t j = 0; j < b[i].size(); ++j) b[i][j] = b[i][j] - factor * b[p][j];
    }
  }
  for (size_t i = 0; i < a.size(); ++i) {
    for (Scalar& value : b[i]) value = value / a[i][i];
  }
  return b;
}

}  // namespace outerloop::plain
