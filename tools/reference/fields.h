#pragma once
// What the layouts share: parameter trees under the file's names, tasks, and their comparison.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reference/layout.h"

namespace outerloop::reference {

// Numbers by the file's names ("W1", "conv_b2"), of one task or of all tasks one after another.
using Tree = std::map<std::string, std::vector<double>>;

// A network whose parameters a file stores.
struct StoredNetwork {
  config::Model model;
  int64_t outputs = 0;                                     // 0: an embedding network
  std::string group;                                       // of the file, that stores them
  std::vector<std::pair<std::string, std::string>> names;  // the file's, the model's
};

// W1, b1, … Wn, bn under `group`. `embedding`: the last layer is a hidden one without activation.
StoredNetwork stored_mlp(const StoredFile& file, const std::string& group, bool embedding);
// conv_w1, conv_b1, bn_scale1, bn_shift1, … and, if there, fc_w, fc_b. variant: stride2 | maxpool.
StoredNetwork stored_conv4(const StoredFile& file, const std::string& group,
                           const std::string& variant, double epsilon);

// Inputs theta/…: the network's parameters as the file stores them.
NamedTensors theta_inputs(const Context& context, const StoredNetwork& network);

// Tasks under a group: xs, ys, xq, yq with a leading task axis.
struct StoredTasks {
  meta::TaskShape shape;
  int64_t count = 0;
  std::vector<NamedTensors> inputs;  // support_x, … of each task
};
// `ways` > 0: classification.
StoredTasks stored_tasks(const Context& context, const std::string& group, int64_t ways);

// The same with the support set as query: losses on the query are then support losses.
StoredTasks with_support_as_query(const StoredTasks& tasks);

// Element `place` along the first axis. Throws BadInput when there is none.
Tensor part_of(const Tensor& x, int64_t place);

// A shape with a leading task axis.
Shape over_tasks(int64_t tasks, const Shape& shape);

double norm_of(std::span<const double> x);  // Euclidean

// Appends results[prefix + <model's name>] to each of the network's tensors. Where absent: zeros,
// or theta itself under state/.
void append(Tree& tree, const StoredNetwork& network, const NamedTensors& results,
            const std::string& prefix, const NamedTensors& theta);
Tree mean_over_tasks(const Tree& tree, int64_t tasks);

struct TreeTolerance {
  double whole = 0;
  double tensor = 0;
  // Tensors that are zero up to rounding: compared absolutely by this tolerance, or where it is 0
  // in units of the whole.
  std::string rounding_prefix;
  double rounding = 0;
};
// Compares what is stored under `group`, for each task arrays like the network's parameters, with
// the tree, whole and per tensor (a tensor that is nothing but rounding: in units of the whole).
// Nothing stored there: nothing to do. Throws BadInput for other shapes, as all below.
void check_tree(Context& context, const StoredNetwork& network, const std::string& group,
                const Tree& tree, int64_t tasks, const TreeTolerance& tolerance);
// The same for the mean over tasks of what `tree` holds of each. Tasks may cancel in the mean, so
// errors count in units of the tasks' root mean square where that is more.
void check_mean(Context& context, const StoredNetwork& network, const std::string& group,
                const Tree& tree, int64_t tasks, const TreeTolerance& tolerance);
// The same as check_tree for one array of this shape.
void check_array(Context& context, const std::string& name, const Shape& shape,
                 const std::vector<double>& got, double tolerance);

// The mean of tasks' arrays, each of this shape, with the errors in check_mean's units.
void check_mean_array(Context& context, const std::string& name, const Shape& shape,
                      const std::vector<double>& values, int64_t tasks, double tolerance);

}  // namespace outerloop::reference
