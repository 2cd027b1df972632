#include "reference/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "outerloop/base/error.h"

namespace outerloop::reference {

double norm_of(std::span<const double> x) {
  double total = 0;
  for (const double value : x) total += value * value;
  return std::sqrt(total);
}

namespace {

// A tensor smaller than this part of the whole is zero but for rounding (a bias that cancels).
constexpr double kRoundingNoise = 1e-13;

void append_numbers(std::vector<double>& all, const std::vector<double>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

Shape without_first(const Shape& shape, int axes) {
  return Shape(shape.extents().subspan(static_cast<size_t>(axes)));
}

}  // namespace

Shape over_tasks(int64_t tasks, const Shape& shape) {
  Shape result{tasks};
  for (const int64_t extent : shape) result.append(extent);
  return result;
}

StoredNetwork stored_mlp(const StoredFile& file, const std::string& group, bool embedding) {
  StoredNetwork network;
  network.group = group;
  network.model.kind = config::ModelKind::mlp;
  network.model.hidden.clear();
  int64_t layers = 0;
  while (file.exists(fmt::format("{}/W{}", group, layers + 1))) ++layers;
  for (int64_t l = 1; l <= layers; ++l) {
    const bool head = l == layers && !embedding;
    const std::string layer = head ? "net/head" : fmt::format("net/dense{}", l);
    network.names.emplace_back(fmt::format("W{}", l), layer + "/weight");
    network.names.emplace_back(fmt::format("b{}", l), layer + "/bias");
    const int64_t width = file.info(fmt::format("{}/W{}", group, l)).shape[1];
    if (head) {
      network.outputs = width;
    } else {
      network.model.hidden.push_back(width);
    }
  }
  return network;
}

StoredNetwork stored_conv4(const StoredFile& file, const std::string& group,
                           const std::string& variant, double epsilon) {
  StoredNetwork network;
  network.group = group;
  config::Model& model = network.model;
  model.kind = config::ModelKind::conv4;
  model.norm = config::Norm::batch;
  model.norm_epsilon = epsilon;
  const bool pools = variant == "maxpool";
  model.pooling = pools ? config::Pooling::max : config::Pooling::stride;
  model.readout = pools ? config::Readout::flatten : config::Readout::mean;
  model.filters = file.info(group + "/conv_w1").shape[3];
  model.blocks = 0;
  while (file.exists(fmt::format("{}/conv_w{}", group, model.blocks + 1))) {
    const int64_t block = ++model.blocks;
    for (const auto& [kind, own] : {std::pair{"conv_w", "conv{}/weight"},
                                    {"conv_b", "conv{}/bias"},
                                    {"bn_scale", "norm{}/scale"},
                                    {"bn_shift", "norm{}/shift"}}) {
      network.names.emplace_back(fmt::format("{}{}", kind, block),
                                 "net/" + fmt::format(fmt::runtime(own), block));
    }
  }
  if (file.exists(group + "/fc_w")) {
    network.names.emplace_back("fc_w", "net/head/weight");
    network.names.emplace_back("fc_b", "net/head/bias");
    network.outputs = file.info(group + "/fc_w").shape[1];
  }
  return network;
}

NamedTensors theta_inputs(const Context& context, const StoredNetwork& network) {
  NamedTensors inputs;
  for (const auto& [stored, own] : network.names) {
    inputs["theta/" + own] = context.input(network.group + "/" + stored);
  }
  return inputs;
}

Tensor part_of(const Tensor& x, int64_t place) {
  if (x.shape().rank() == 0 || place >= x.shape()[0]) {
    throw BadInput(fmt::format("an array of shape {} has no element {} along its first axis",
                               to_string(x.shape()), place));
  }
  Tensor part(x.dtype(), without_first(x.shape(), 1));
  std::memcpy(part.data(), x.data() + static_cast<size_t>(place) * part.bytes(), part.bytes());
  return part;
}

StoredTasks stored_tasks(const Context& context, const std::string& group, int64_t ways) {
  const bool classes = ways > 0;
  const Tensor xs = context.input(group + "/xs");
  if (xs.shape().rank() < 3 || xs.shape()[0] < 1) {
    throw BadInput(fmt::format("{}: {}/xs: expected (tasks, rows, features), got {}",
                               context.file.path().string(), group, to_string(xs.shape())));
  }
  StoredTasks tasks;
  tasks.count = xs.shape()[0];
  Shape query = xs.shape();
  query[1] = context.file.info(group + "/xq").shape[1];
  const Tensor xq = context.input(group + "/xq", query);
  const int64_t outputs = classes ? ways : context.file.info(group + "/ys").shape[2];
  const auto answers = [&](const char* name, const Tensor& x) {
    Shape shape{tasks.count, x.shape()[1]};
    if (!classes) shape.append(outputs);
    return context.file.read(group + name, shape).cast(classes ? DType::i32 : context.dtype);
  };
  const Tensor ys = answers("/ys", xs);
  const Tensor yq = answers("/yq", xq);
  tasks.shape = {.example = without_first(xs.shape(), 2),
                 .classification = classes,
                 .outputs = outputs,
                 .support_rows = xs.shape()[1],
                 .query_rows = xq.shape()[1]};
  for (int64_t b = 0; b < tasks.count; ++b) {
    tasks.inputs.push_back({{"support_x", part_of(xs, b)},
                            {"support_y", part_of(ys, b)},
                            {"query_x", part_of(xq, b)},
                            {"query_y", part_of(yq, b)}});
  }
  return tasks;
}

StoredTasks with_support_as_query(const StoredTasks& tasks) {
  StoredTasks result = tasks;
  result.shape.query_rows = tasks.shape.support_rows;
  for (NamedTensors& task : result.inputs) {
    task["query_x"] = task["support_x"];
    task["query_y"] = task["support_y"];
  }
  return result;
}

void append(Tree& tree, const StoredNetwork& network, const NamedTensors& results,
            const std::string& prefix, const NamedTensors& theta) {
  for (const auto& [stored, own] : network.names) {
    const auto place = results.find(prefix + own);
    const std::vector<double> start = theta.at("theta/" + own).to_doubles();
    if (place != results.end()) {
      append_numbers(tree[stored], place->second.to_doubles());
    } else if (prefix == "state/") {
      append_numbers(tree[stored], start);  // does not adapt
    } else {
      append_numbers(tree[stored], std::vector<double>(start.size(), 0.0));
    }
  }
}

Tree mean_over_tasks(const Tree& tree, int64_t tasks) {
  Tree means;
  for (const auto& [name, values] : tree) {
    const size_t elements = values.size() / static_cast<size_t>(tasks);
    std::vector<double>& mean = means[name];
    mean.assign(elements, 0.0);
    for (size_t i = 0; i < values.size(); ++i) mean[i % elements] += values[i];
    for (double& value : mean) value /= static_cast<double>(tasks);
  }
  return means;
}

namespace {

using Shapes = std::map<std::string, Shape>;

Shapes parameter_shapes(const Context& context, const StoredNetwork& network) {
  Shapes shapes;
  for (const auto& [stored, own] : network.names) {
    shapes[stored] = context.file.info(network.group + "/" + stored).shape;
  }
  return shapes;
}

// units: by tensor, and under "" of the whole; an error counts in units of what is expected or, if
// that is more, of these.
void compare_trees(Context& context, const std::string& group, const Tree& got,
                   const Shapes& shapes, const TreeTolerance& tolerance,
                   const std::map<std::string, double>& units) {
  const auto unit = [&](const std::string& name, std::span<const double> expected) {
    const auto found = units.find(name);
    return std::max(norm_of(expected), found == units.end() ? 0 : found->second);
  };
  Tree expected;
  std::vector<double> all_got;
  std::vector<double> all_expected;
  for (const auto& [name, values] : got) {
    expected[name] = context.expected(group + "/" + name, shapes.at(name));
    append_numbers(all_got, values);
    append_numbers(all_expected, expected[name]);
  }
  const double whole = norm_of(all_expected);
  for (const auto& [name, values] : got) {
    const std::string path = group + "/" + name;
    const bool rounding =
        !tolerance.rounding_prefix.empty() && name.starts_with(tolerance.rounding_prefix);
    const bool noise = rounding || norm_of(expected[name]) < kRoundingNoise * whole;
    if (rounding && tolerance.rounding > 0) {
      context.report.absolute(path, values, expected[name], tolerance.rounding);
    } else if (noise) {
      context.report.scaled(path, values, expected[name], whole, tolerance.whole);
    } else {
      context.report.scaled(path, values, expected[name], unit(name, expected[name]),
                            tolerance.tensor);
    }
  }
  context.report.scaled(group, all_got, all_expected, unit("", all_expected), tolerance.whole);
}

}  // namespace

void check_tree(Context& context, const StoredNetwork& network, const std::string& group,
                const Tree& tree, int64_t tasks, const TreeTolerance& tolerance) {
  if (!context.file.exists(group)) return;
  Shapes shapes = parameter_shapes(context, network);
  for (auto& [name, shape] : shapes) shape = over_tasks(tasks, shape);
  compare_trees(context, group, tree, shapes, tolerance, {});
}

void check_mean(Context& context, const StoredNetwork& network, const std::string& group,
                const Tree& tree, int64_t tasks, const TreeTolerance& tolerance) {
  if (!context.file.exists(group)) return;
  std::map<std::string, double> units;
  double squares = 0;
  for (const auto& [name, values] : tree) {
    units[name] = norm_of(values) / std::sqrt(static_cast<double>(tasks));
    squares += units[name] * units[name];
  }
  units[""] = std::sqrt(squares);
  compare_trees(context, group, mean_over_tasks(tree, tasks), parameter_shapes(context, network),
                tolerance, units);
}

void check_mean_array(Context& context, const std::string& name, const Shape& shape,
                      const std::vector<double>& values, int64_t tasks, double tolerance) {
  if (!context.file.exists(name)) return;
  const Tree mean = mean_over_tasks({{"", values}}, tasks);
  const std::vector<double> expected = context.expected(name, shape);
  const double unit = norm_of(values) / std::sqrt(static_cast<double>(tasks));
  context.report.scaled(name, mean.at(""), expected, std::max(norm_of(expected), unit), tolerance);
}

void check_array(Context& context, const std::string& name, const Shape& shape,
                 const std::vector<double>& got, double tolerance) {
  if (!context.file.exists(name)) return;
  context.report.relative(name, got, context.expected(name, shape), tolerance);
}

}  // namespace outerloop::reference
