// Layout maml_conv4: exact and first-order MAML on images, every parameter adapting. Groups
// <stride2|maxpool>/Q<queries>/K<steps>, and under f64/ one wider network whose gradients are
// stored as norms and samples.

#include <fmt/format.h>

#include "reference/fields.h"
#include "reference/layouts.h"

namespace outerloop::reference {

namespace {

constexpr std::string_view kVariants[] = {"stride2", "maxpool"};

// A network and tasks below `root` ("" or "f64/").
struct Conv4Part {
  std::string root;
  StoredNetwork network;
  NamedTensors theta;
  config::Config config;
  int64_t ways;
};

Conv4Part part_below(const Context& context, const std::string& root, const std::string& variant) {
  const double epsilon = context.scalar(root + "hyper/bn_eps");
  Conv4Part part{.root = root,
                 .network = stored_conv4(context.file, root + "theta", variant, epsilon),
                 .config = {},
                 .ways = static_cast<int64_t>(context.scalar(root + "hyper/ways"))};
  part.theta = theta_inputs(context, part.network);
  part.config.model = part.network.model;
  part.config.learner.algorithm = "maml";
  part.config.inner.rate = context.scalar(root + "hyper/alpha");
  part.config.inner.adapt_norm = true;
  return part;
}

double gradient_tolerance(const Context& context, const std::string& variant) {
  return context.tolerance(variant == "maxpool" ? 5e-5 : 1e-5, 1e-11);
}

// Convolution biases are cancelled by batch norm: their gradients are rounding errors.
TreeTolerance tree_tolerance(const Context& context, const std::string& variant) {
  return {gradient_tolerance(context, variant), context.tolerance(1e-4, 1e-10), "conv_b",
          context.tolerance(1e-5, 1e-13)};
}

struct Curves {
  std::vector<double> loss;
  std::vector<double> accuracy;
  std::vector<double> logits;
  Tree phi;
};

Curves adapt(Context& context, const Conv4Part& part, const meta::Learner& learner,
             const StoredTasks& tasks) {
  const auto plan = meta::make_evaluation_plan(learner, tasks.shape, learner.steps, context.dtype);
  Curves curves;
  for (const NamedTensors& task : tasks.inputs) {
    NamedTensors inputs = part.theta;
    inputs.insert(task.begin(), task.end());
    const auto calls = run_evaluation(plan, inputs, context.runner);
    for (const NamedTensors& call : calls) {
      curves.loss.push_back(call.at("loss").to_doubles()[0]);
      curves.accuracy.push_back(call.at("accuracy").to_doubles()[0]);
      const auto logits = call.at("prediction").to_doubles();
      curves.logits.insert(curves.logits.end(), logits.begin(), logits.end());
    }
    append(curves.phi, part.network, calls.back(), "state/", part.theta);
  }
  return curves;
}

void check_curves(Context& context, const Conv4Part& part, const meta::Learner& learner,
                  const StoredTasks& tasks, const std::string& group) {
  const double tolerance = context.tolerance(5e-6, 1e-12);
  const Curves query = adapt(context, part, learner, tasks);
  const Shape points{tasks.count, learner.steps + 1};
  check_array(context, group + "/query_loss", points, query.loss, tolerance);
  if (context.file.exists(group + "/query_accuracy")) {
    context.report.absolute(group + "/query_accuracy", query.accuracy,
                            context.expected(group + "/query_accuracy", points),
                            context.tolerance(1e-6, 1e-12));
  }
  check_array(context, group + "/query_logits",
              {tasks.count, learner.steps + 1, tasks.shape.query_rows, part.ways}, query.logits,
              context.tolerance(1e-5, 1e-11));
  check_tree(context, part.network, group + "/phi", query.phi, tasks.count,
             {tolerance, context.tolerance(1e-4, 1e-10), "conv_b", context.tolerance(1e-5, 1e-13)});
  const Curves support = adapt(context, part, learner, with_support_as_query(tasks));
  check_array(context, group + "/support_loss", points, support.loss, tolerance);
}

struct Gradients {
  Tree tasks;
  double loss = 0;
};

Gradients gradients_of(Context& context, const Conv4Part& part, const meta::Learner& learner,
                       const StoredTasks& tasks) {
  const auto plan = meta::make_gradient_plan(learner, tasks.shape, context.dtype);
  Gradients result;
  for (const NamedTensors& task : tasks.inputs) {
    NamedTensors inputs = part.theta;
    inputs.insert(task.begin(), task.end());
    const NamedTensors outputs = run_gradient(plan, inputs, context.runner);
    append(result.tasks, part.network, outputs, "grad/", part.theta);
    result.loss += outputs.at("loss").to_doubles()[0] / static_cast<double>(tasks.count);
  }
  return result;
}

// <name>_norm/<p> and <name>_sample/<p>.
void check_samples(Context& context, const std::string& group, const std::string& name,
                   const Tree& gradients, const TreeTolerance& tolerance) {
  if (!context.file.exists(group + "/" + name + "_norm")) return;
  for (const auto& [parameter, values] : gradients) {
    const bool rounding = parameter.starts_with(tolerance.rounding_prefix);
    const auto compare = [&](const std::string& path, const Shape& shape,
                             const std::vector<double>& got, double scale) {
      const std::vector<double> expected = context.expected(path, shape);
      if (rounding) {
        context.report.absolute(path, got, expected, tolerance.rounding);
      } else {
        context.report.scaled(path, got, expected, scale, tolerance.tensor);
      }
    };
    const double norm = norm_of(values);
    compare(fmt::format("{}/{}_norm/{}", group, name, parameter), Shape{}, {norm}, norm);
    std::vector<double> samples;
    const std::string root = group.substr(0, group.rfind('/') + 1);
    const Tensor places = context.file.read(root + "sample_index/" + parameter);
    for (const double place : places.to_doubles()) {
      samples.push_back(values.at(static_cast<size_t>(place)));
    }
    compare(fmt::format("{}/{}_sample/{}", group, name, parameter), places.shape(), samples,
            norm_of(samples));
  }
}

void check_group(Context& context, const Conv4Part& part, const std::string& variant,
                 const StoredTasks& tasks, const std::string& group, int64_t steps) {
  config::Config config = part.config;
  config.inner.steps = steps;
  const meta::Learner exact = meta::make_learner(config, tasks.shape);
  config.learner.algorithm = "fomaml";
  const meta::Learner first_order = meta::make_learner(config, tasks.shape);
  context.report.add_group(group);
  check_curves(context, part, exact, tasks, group);
  const TreeTolerance tolerance = tree_tolerance(context, variant);
  const auto check = [&](const std::string& name, const Tree& gradients) {
    const Tree mean = mean_over_tasks(gradients, tasks.count);
    const std::string path = group + "/" + name;
    check_tree(context, part.network, path + "_task", gradients, tasks.count, tolerance);
    check_mean(context, part.network, path, gradients, tasks.count, tolerance);
    check_samples(context, group, name, mean, tolerance);
  };
  const Gradients exact_gradients = gradients_of(context, part, exact, tasks);
  check_array(context, group + "/outer_loss", Shape{}, {exact_gradients.loss},
              context.tolerance(5e-6, 1e-12));
  check("grad", exact_gradients.tasks);
  check("first_order", gradients_of(context, part, first_order, tasks).tasks);
}

// The number after the letter of "Q15" or "K3".
int64_t number_of(const std::string& name) {
  return std::stoll(name.substr(1));
}

void check_wide(Context& context) {
  for (const auto variant_name : kVariants) {
    const std::string variant(variant_name);
    if (!context.file.exists("f64/" + variant)) continue;
    const Conv4Part part = part_below(context, "f64/", variant);
    const std::string data = context.file.list("f64/data").at(0);
    const StoredTasks tasks = stored_tasks(context, "f64/data/" + data, part.ways);
    // (tasks, 1 + steps)
    const int64_t columns = context.file.info("f64/" + variant + "/query_loss").shape[1];
    check_group(context, part, variant, tasks, "f64/" + variant, columns - 1);
  }
}

}  // namespace

bool is_maml_conv4(const StoredFile& file) {
  return file.exists("theta/conv_w1");
}

void check_maml_conv4(Context& context) {
  for (const auto variant_name : kVariants) {
    const std::string variant(variant_name);
    if (!context.file.exists(variant)) continue;
    const Conv4Part part = part_below(context, "", variant);
    for (const std::string& queries : context.file.list(variant)) {
      const StoredTasks tasks = stored_tasks(context, "data/" + queries, part.ways);
      for (const std::string& k : context.file.list(variant + "/" + queries)) {
        check_group(context, part, variant, tasks, variant + "/" + queries + "/" + k, number_of(k));
      }
    }
  }
  if (context.file.exists("f64")) check_wide(context);
}

}  // namespace outerloop::reference
