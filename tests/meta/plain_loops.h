#pragma once
// Networks, losses and adaptation as plain loops over scalars: what the files of other sizes
// expect. Names and shapes are those of the reference files.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/dual_tape.h"

namespace outerloop::plain {

using Row = std::vector<Scalar>;
using Rows = std::vector<Row>;

// Named arrays in the order in which they were added.
template <class Number>
struct Arrays {
  std::vector<std::pair<std::string, std::vector<Number>>> entries;
  std::vector<Number>& operator[](const std::string& name);
  const std::vector<Number>& at(const std::string& name) const;
  bool contains(const std::string& name) const;
};
using Values = Arrays<Dual>;     // between programs: with a slope each
using Scalars = Arrays<Scalar>;  // on a tape

struct Task {
  std::vector<std::vector<double>> xs, xq;
  std::vector<std::vector<double>> ys, yq;  // regression: a row each; classification: one label
};

using Forward = std::function<Rows(const Scalars&, const Rows&)>;
using Loss = std::function<Scalar(const Rows& outputs, const std::vector<std::vector<double>>& y)>;
// The step k: phi and the gradient of the support loss at phi give the next phi.
using Step = std::function<Values(const Values& phi, const Values& gradient, int64_t k)>;

Rows constants(const std::vector<std::vector<double>>& rows);
Scalars leaves(Tape& tape, const Values& values);

// W1, b1, … as long as there are any. `linear`: the last layer has no activation.
Rows mlp(const Scalars& theta, const Rows& x, Scalar (*activation)(const Scalar&), bool linear);
// conv_w1, … of 3 x 3, batch norm over the rows given, max pooling of 2 x 2 or stride 2, and the
// head fc_w, fc_b. Images are squares of one channel.
Rows conv_net(const Scalars& theta, const Rows& images, bool max_pooling, double epsilon);

Scalar relu(const Scalar& x);
Scalar mean_square_error(const Rows& outputs, const std::vector<std::vector<double>>& y);
Scalar cross_entropy(const Rows& logits, const std::vector<std::vector<double>>& y);

struct Gradient {
  Dual loss;
  Values by;
};
// d loss / d each of the values.
Gradient gradient(const Values& at, const std::function<Scalar(const Scalars&)>& loss);

// A x = B for a matrix of full rank, by elimination; the columns of x.
Rows solve(Rows a, Rows b);

}  // namespace outerloop::plain
