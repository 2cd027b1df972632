// The layouts of check_reference on files of other sizes than the golden ones: widths, depths,
// ways, shots, steps and seeds of their own. What they expect comes from plain loops over scalars.

#include <gtest/gtest.h>

#include "meta/plain_loops.h"
#include "meta/small_file.h"

namespace outerloop::reference {
namespace {

using namespace plain;

// phi - rate * gradient, element by element.
Values descend(const Values& phi, const Values& gradient, const Values& rate) {
  Values next = phi;
  for (auto& [name, values] : next.entries) {
    for (size_t e = 0; e < values.size(); ++e) {
      values[e] = values[e] - rate.at(name)[e] * gradient.at(name)[e];
    }
  }
  return next;
}

Values filled(const Values& like, double value) {
  Values result = like;
  for (auto& [name, values] : result.entries) values.assign(values.size(), {value, 0});
  return result;
}

struct Problem {
  std::vector<Task> tasks;
  Forward forward;
  Loss loss;

  Gradient on_support(const Values& phi, const Task& task) const {
    return gradient(
        phi, [&](const Scalars& s) { return loss(forward(s, constants(task.xs)), task.ys); });
  }
  Gradient on_query(const Values& phi, const Task& task) const {
    return gradient(
        phi, [&](const Scalars& s) { return loss(forward(s, constants(task.xq)), task.yq); });
  }
};

// phi_0 … phi_K.
using Adapt = std::function<std::vector<Values>(const Task& task, const Values& theta)>;
// The outer loss of a task.
using Outer = std::function<Dual(const Task& task, const std::vector<Values>& phis)>;

// d outer / d theta by seeding one slope after the other, averaged over the tasks.
std::map<std::string, std::vector<double>> outer_gradient(const Problem& problem,
                                                          const Values& theta, const Adapt& adapt,
                                                          const Outer& outer) {
  std::map<std::string, std::vector<double>> result;
  Values seeded = theta;
  for (auto& [name, values] : seeded.entries) {
    for (Dual& value : values) {
      value.slope = 1;
      double total = 0;
      for (const Task& task : problem.tasks) total += outer(task, adapt(task, seeded)).slope;
      result[name].push_back(total / static_cast<double>(problem.tasks.size()));
      value.slope = 0;
    }
  }
  return result;
}

// query_loss, support_loss and outer_loss of a group.
void write_losses(SmallFile& file, const std::string& group, const Problem& problem,
                  const Values& theta, const Adapt& adapt, const Outer& outer) {
  std::vector<double> query;
  std::vector<double> support;
  double total = 0;
  for (const Task& task : problem.tasks) {
    const auto phis = adapt(task, theta);
    for (const Values& phi : phis) {
      query.push_back(problem.on_query(phi, task).loss.value);
      support.push_back(problem.on_support(phi, task).loss.value);
    }
    total += outer(task, phis).value;
  }
  const int64_t count = static_cast<int64_t>(problem.tasks.size());
  const int64_t columns = static_cast<int64_t>(query.size()) / count;
  file.write(group + "/query_loss", {count, columns}, query);
  file.write(group + "/support_loss", {count, columns}, support);
  file.write(group + "/outer_loss", total / static_cast<double>(count));
}

// Steps of gradient descent with a state that `step` may keep between them.
Adapt steps_of(const Problem& problem, int64_t steps, std::function<Step()> make_step) {
  return [&problem, steps, make_step](const Task& task, const Values& theta) {
    std::vector<Values> phis = {theta};
    const Step step = make_step();
    for (int64_t k = 0; k < steps; ++k) {
      phis.push_back(step(phis.back(), problem.on_support(phis.back(), task).by, k));
    }
    return phis;
  };
}

Outer last_query_loss(const Problem& problem) {
  return [&problem](const Task& task, const std::vector<Values>& phis) {
    return problem.on_query(phis.back(), task).loss;
  };
}

Problem regression(std::vector<Task> tasks, Scalar (*activation)(const Scalar&)) {
  return {std::move(tasks),
          [activation](const Scalars& s, const Rows& x) { return mlp(s, x, activation, true); },
          mean_square_error};
}

TEST(OtherSizes, MamlSine) {
  SmallFile file(11);
  const Values theta = file.draw_mlp("theta", {1, 7, 5, 7, 1});
  constexpr double kRate = 0.07;
  constexpr double kMomentum = 0.6;
  file.write("hyper/alpha", kRate);
  file.write("hyper/momentum", kMomentum);
  const Problem problem = regression(file.draw_tasks("data", 3, 4, 6, {1}, 0), &plain::tanh);
  const Values rates = filled(theta, kRate);
  const Outer outer = last_query_loss(problem);
  const auto descent = [&] {
    return [&](const Values& phi, const Values& g, int64_t) { return descend(phi, g, rates); };
  };
  const auto write = [&](const std::string& group, const Adapt& adapt) {
    write_losses(file, group, problem, theta, adapt, outer);
    file.write_tree(group + "/grad", "theta", outer_gradient(problem, theta, adapt, outer));
  };
  for (const int64_t steps : {2, 4}) {
    write("tanh/exact/K" + std::to_string(steps), steps_of(problem, steps, descent));
  }
  write("tanh/momentum/K2", steps_of(problem, 2, [&]() -> Step {
          return [&, m = filled(theta, 0)](const Values& phi, const Values& g, int64_t) mutable {
            for (auto& [name, values] : m.entries) {
              for (size_t e = 0; e < values.size(); ++e) {
                values[e] = Dual{kMomentum, 0} * values[e] + g.at(name)[e];
              }
            }
            return descend(phi, m, rates);
          };
        }));
  // 3 losses and, of the gradient, 8 tensors and the whole.
  file.check(3 * (3 + 9));
}

TEST(OtherSizes, MamlSineWithRatesPerTensorAndStep) {
  SmallFile file(12);
  const Values theta = file.draw_mlp("theta", {1, 6, 9, 1});
  file.write("hyper/alpha", 0.01);
  const Problem problem = regression(file.draw_tasks("data", 2, 5, 3, {1}, 0), &plain::tanh);
  constexpr int64_t kSteps = 4;
  const std::string group = "tanh/lslr/K4";
  const int64_t tensors = static_cast<int64_t>(theta.entries.size());
  std::vector<double> lr = file.numbers(static_cast<size_t>(tensors * kSteps), 0.02, 0.1);
  const std::vector<double> weights = {0.4, 0.1, 0.2, 0.3};
  file.write(group + "/lr", {tensors, kSteps}, lr);
  file.write(group + "/msl_weight", {kSteps}, weights);
  size_t seeded = lr.size();  // which rate carries the slope
  const Adapt adapt = steps_of(problem, kSteps, [&] {
    return [&](const Values& phi, const Values& g, int64_t k) {
      Values rates = theta;
      for (size_t t = 0; t < rates.entries.size(); ++t) {
        const size_t place = t * kSteps + static_cast<size_t>(k);
        auto& values = rates.entries[t].second;
        values.assign(values.size(), {lr[place], place == seeded ? 1.0 : 0.0});
      }
      return descend(phi, g, rates);
    };
  });
  const Outer outer = [&](const Task& task, const std::vector<Values>& phis) {
    Dual total;
    for (size_t k = 0; k < weights.size(); ++k) {
      total = total + Dual{weights[k], 0} * problem.on_query(phis[k + 1], task).loss;
    }
    return total;
  };
  write_losses(file, group, problem, theta, adapt, outer);
  file.write_tree(group + "/grad", "theta", outer_gradient(problem, theta, adapt, outer));
  std::vector<double> by_rate;
  for (seeded = 0; seeded < lr.size(); ++seeded) {
    double total = 0;
    for (const Task& task : problem.tasks) total += outer(task, adapt(task, theta)).slope;
    by_rate.push_back(total / static_cast<double>(problem.tasks.size()));
  }
  file.write(group + "/grad_lr", {tensors, kSteps}, by_rate);
  file.check(3 + 7 + 1);
}

// What a learned optimiser moves by: a small network on features of gradients and momenta.
class LearnedStep {
 public:
  explicit LearnedStep(const Values& optimizer) : optimizer_(optimizer) {}

  static constexpr double kDecays[] = {0.8, 0.95};
  static constexpr double kStep = 0.02;
  static constexpr double kMagnitude = 0.05;
  static constexpr double kEpsilon = 1e-10;

  Values operator()(const Values& phi, const Values& gradient, int64_t) {
    Values next = phi;
    for (auto& [name, values] : next.entries) move(values, name, gradient.at(name));
    return next;
  }

 private:
  // Divided by the root of the mean square over the tensor.
  static std::vector<Scalar> scaled(const std::vector<Dual>& values) {
    Scalar mean = 0;
    for (const Dual value : values) {
      mean = mean + Scalar(value * value) / static_cast<double>(values.size());
    }
    const Scalar root = plain::sqrt(mean + kEpsilon);
    std::vector<Scalar> result;
    for (const Dual value : values) result.push_back(Scalar(value) / root);
    return result;
  }

  void move(std::vector<Dual>& values, const std::string& name, const std::vector<Dual>& gradient) {
    std::vector<std::vector<Scalar>> features = {scaled(gradient), scaled(values)};
    for (const double decay : kDecays) {
      std::vector<Dual>& momentum = momenta_[decay][name];
      momentum.resize(values.size());
      for (size_t e = 0; e < values.size(); ++e) {
        momentum[e] = Dual{decay, 0} * momentum[e] + Dual{1 - decay, 0} * gradient[e];
      }
      features.push_back(scaled(momentum));
    }
    Scalars layers;
    for (const auto& [layer, numbers] : optimizer_.entries) {
      layers[layer].assign(numbers.begin(), numbers.end());
    }
    for (size_t e = 0; e < values.size(); ++e) {
      Row row;
      for (const auto& feature : features) row.push_back(feature[e]);
      const Row out = mlp(layers, {row}, &plain::tanh, true)[0];
      values[e] =
          values[e] - Dual{kStep, 0} * out[0].value * plain::exp(Scalar(kMagnitude) * out[1]).value;
    }
  }

  const Values& optimizer_;
  std::map<double, Values> momenta_;
};

TEST(OtherSizes, LearnedOpt) {
  SmallFile file(16);
  const Values phi0 = file.draw_mlp("phi0", {1, 6, 5, 1});
  const Problem problem = regression(file.draw_tasks("data", 2, 4, 5, {1}, 0), &plain::tanh);
  file.write("hyper/steps", 3);
  file.write("hyper/momenta", {2}, {LearnedStep::kDecays[0], LearnedStep::kDecays[1]});
  file.write("hyper/step_mult", LearnedStep::kStep);
  file.write("hyper/exp_mult", LearnedStep::kMagnitude);
  file.write("hyper/rms_eps", LearnedStep::kEpsilon);
  Values current;  // the optimiser that adapts
  const Adapt adapt = steps_of(problem, 3, [&] { return LearnedStep(current); });
  const Outer outer = last_query_loss(problem);
  const auto by_optimizer = [&](const Task& task, const Values& optimizer) {
    current = optimizer;
    return adapt(task, phi0);
  };
  const Values optimizer = file.draw_mlp("opt", {4, 7, 2});
  current = optimizer;
  write_losses(file, "tanh", problem, phi0, adapt, outer);
  file.write_tree("tanh/grad_phi0", "phi0", outer_gradient(problem, phi0, adapt, outer));
  file.write_tree("tanh/grad_opt", "opt", outer_gradient(problem, optimizer, by_optimizer, outer));
  file.check(3 + 7 + 5);
}

class ConvNet : public testing::TestWithParam<bool> {};

TEST_P(ConvNet, MamlConv4) {
  const bool pools = GetParam();
  SmallFile file(13);
  Values theta;
  const Extents channels = {1, 3, 3};
  for (int64_t l = 1; l <= 2; ++l) {
    const std::string n = std::to_string(l);
    const int64_t out = channels[static_cast<size_t>(l)];
    file.draw(theta, "theta", "conv_w" + n, {3, 3, channels[static_cast<size_t>(l - 1)], out}, -0.6,
              0.6);
    file.draw(theta, "theta", "conv_b" + n, {out}, -0.2, 0.2);
    file.draw(theta, "theta", "bn_scale" + n, {out}, 0.7, 1.3);
    file.draw(theta, "theta", "bn_shift" + n, {out}, -0.3, 0.3);
  }
  file.draw(theta, "theta", "fc_w", {3, 3}, -0.8, 0.8);
  file.draw(theta, "theta", "fc_b", {3}, -0.2, 0.2);
  constexpr double kRate = 0.15;
  constexpr double kEpsilon = 2e-3;
  file.write("hyper/alpha", kRate);
  file.write("hyper/bn_eps", kEpsilon);
  file.write("hyper/ways", 3);
  // 7 and 4 are odd and even sides for stride 2; pooled: 3, then 1.
  const Problem problem = {
      file.draw_tasks("data/Q4", 2, 6, 4, {7, 7, 1}, 3),
      [&](const Scalars& s, const Rows& x) { return conv_net(s, x, pools, kEpsilon); },
      cross_entropy};
  const Values rates = filled(theta, kRate);
  const Adapt adapt = steps_of(problem, 2, [&] {
    return [&](const Values& phi, const Values& g, int64_t) { return descend(phi, g, rates); };
  });
  const Outer outer = last_query_loss(problem);
  const std::string group = std::string(pools ? "maxpool" : "stride2") + "/Q4/K2";
  write_losses(file, group, problem, theta, adapt, outer);
  file.write_tree(group + "/grad", "theta", outer_gradient(problem, theta, adapt, outer));
  file.check(3 + 11);
}

INSTANTIATE_TEST_SUITE_P(Each, ConvNet, testing::Bool(),
                         [](const auto& pools) { return pools.param ? "MaxPool" : "Stride2"; });

// 3-way 2-shot on embeddings of 4.
struct MetricSetup {
  SmallFile file;
  Values theta = file.draw_mlp("mlp_theta", {5, 7, 6, 4});
  std::vector<Task> tasks = file.draw_tasks("mlp_data", 2, 6, 9, {5}, 3);
  explicit MetricSetup(uint32_t seed) : file(seed) { file.write("hyper/ways", 3); }

  Rows embed(const Scalars& s, const std::vector<std::vector<double>>& x) const {
    return mlp(s, constants(x), &plain::relu, true);
  }
  // Stores loss_task, loss and grad of the loss that `logits_of` gives; returns the gradients by
  // everything in `at`.
  using LogitsOf = std::function<Rows(const Scalars&, const Task&)>;
  std::map<std::string, std::vector<double>> write_results(const Values& at,
                                                           const LogitsOf& logits_of);
};

std::map<std::string, std::vector<double>> MetricSetup::write_results(const Values& at,
                                                                      const LogitsOf& logits_of) {
  std::vector<double> losses;
  std::map<std::string, std::vector<double>> means;
  const double count = static_cast<double>(tasks.size());
  for (const Task& task : tasks) {
    const Gradient result =
        gradient(at, [&](const Scalars& s) { return cross_entropy(logits_of(s, task), task.yq); });
    losses.push_back(result.loss.value);
    for (const auto& [name, values] : result.by.entries) {
      means[name].resize(values.size());
      for (size_t e = 0; e < values.size(); ++e) means[name][e] += values[e].value / count;
    }
  }
  file.write("mlp/loss_task", {static_cast<int64_t>(tasks.size())}, losses);
  file.write("mlp/loss", (losses[0] + losses[1]) / count);
  std::map<std::string, std::vector<double>> network;
  for (const auto& [name, values] : theta.entries) network[name] = means.at(name);
  file.write_tree("mlp/grad", "mlp_theta", network);
  return means;
}

TEST(OtherSizes, Protonet) {
  MetricSetup setup(14);
  setup.write_results(setup.theta, [&](const Scalars& s, const Task& task) {
    const Rows support = setup.embed(s, task.xs);
    Rows prototypes(3, Row(4, Scalar(0.0)));
    for (size_t i = 0; i < support.size(); ++i) {
      Row& prototype = prototypes[static_cast<size_t>(task.ys[i][0])];
      for (size_t e = 0; e < 4; ++e) prototype[e] = prototype[e] + support[i][e] / 2.0;
    }
    Rows logits;
    for (const Row& query : setup.embed(s, task.xq)) {
      Row& row = logits.emplace_back(3, Scalar(0.0));
      for (size_t c = 0; c < 3; ++c) {
        for (size_t e = 0; e < 4; ++e) {
          const Scalar difference = query[e] - prototypes[c][e];
          row[c] = row[c] - difference * difference;
        }
      }
    }
    return logits;
  });
  setup.file.check(2 + 7);
}

TEST(OtherSizes, R2d2) {
  MetricSetup setup(15);
  Values at = setup.theta;
  for (const auto& [name, value] : {std::pair{"lambda", 0.9}, {"scale", 1.7}, {"bias", 0.4}}) {
    setup.file.write(std::string("mlp/head/") + name, value);
    at[name] = {{value, 0}};
  }
  const auto gradients = setup.write_results(at, [&](const Scalars& s, const Task& task) {
    // W = (X^T X + lambda I)^-1 X^T Y
    const Rows support = setup.embed(s, task.xs);
    Rows a(4, Row(4, Scalar(0.0)));
    Rows b(4, Row(3, Scalar(0.0)));
    for (size_t i = 0; i < 4; ++i) {
      a[i][i] = s.at("lambda")[0];
      for (size_t n = 0; n < support.size(); ++n) {
        for (size_t j = 0; j < 4; ++j) a[i][j] = a[i][j] + support[n][i] * support[n][j];
        Scalar& target = b[i][static_cast<size_t>(task.ys[n][0])];
        target = target + support[n][i];
      }
    }
    const Rows weights = solve(a, b);
    Rows logits;
    for (const Row& query : setup.embed(s, task.xq)) {
      Row& row = logits.emplace_back(3, Scalar(0.0));
      for (size_t c = 0; c < 3; ++c) {
        for (size_t e = 0; e < 4; ++e) row[c] = row[c] + query[e] * weights[e][c];
        row[c] = s.at("scale")[0] * row[c] + s.at("bias")[0];
      }
    }
    return logits;
  });
  for (const std::string name : {"lambda", "scale", "bias"}) {
    setup.file.write("mlp/grad_head/" + name, gradients.at(name)[0]);
  }
  setup.file.check(2 + 7 + 3);
}

}  // namespace
}  // namespace outerloop::reference
