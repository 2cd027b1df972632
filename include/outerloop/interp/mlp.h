#pragma once
// Multilayer perceptrons as models of a table, made for permutation importance.

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "outerloop/config/choice.h"
#include "outerloop/interp/gather.h"

namespace outerloop::interp {

OL_CONFIG_CHOICE(MlpActivation, relu, tanh)
OL_CONFIG_CHOICE(MlpPrecision, float32, float64)

struct MlpLayer {
  size_t inputs = 0, outputs = 0;
  std::vector<double> weight;  // (inputs, outputs)
  std::vector<double> bias;    // (outputs)
};

// h W + b per layer, the activation after all but the last.
struct Mlp {
  std::vector<MlpLayer> layers;
  MlpActivation activation = MlpActivation::relu;

  size_t inputs() const { return layers.front().inputs; }
  size_t outputs() const { return layers.back().outputs; }
  std::string shape() const;   // "50-64-64-1"
  double dense_flops() const;  // of one row, every product counted
};

// From a file that io::read_tensors reads, whose tensors are either
//   net/dense1/weight … net/head/weight  (inputs, outputs), as `outerloop ckpt export` writes, or
//   layer1.weight, layer2.weight, …      (outputs, inputs), as PyTorch keeps a Linear; any names
//                                        that end in a number before ".weight" will do
// with "bias" beside each "weight" or not. Throws BadInput when there are other tensors or when the
// layers do not fit each other.
Mlp read_mlp(const std::filesystem::path& file, MlpActivation activation);

// Answers rows of x, which must outlive it, and of no other table; x has as many columns as the
// network inputs. One output is the value; several become probabilities by a softmax.
//
// The first layer is applied once, to x: in a row i whose group of columns comes from row d it is
// z_i + (x_d - x_i) W of the group alone, exactly z_i where nothing differs. Rows answer by
// themselves: the same bits in any block and thread.
BlockModel mlp_on_table(const Mlp& mlp, const TableView& x, MlpPrecision precision);

}  // namespace outerloop::interp
