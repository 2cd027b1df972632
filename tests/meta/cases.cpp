#include "meta/cases.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

namespace outerloop::meta::testing {

namespace {

using config::Config;
using config::InnerOptimizer;

Config base_config(const std::string& algorithm) {
  Config config;
  config.learner.algorithm = algorithm;
  config.model.hidden = {5, 4};
  config.model.activation = config::Activation::tanh;  // no kinks for differences
  config.model.init = config.model.head_init = config::Init::he;
  config.inner.steps = 3;
  config.inner.rate = 0.1;
  return config;
}

TaskShape regression() {
  return {.example = {3}, .outputs = 2, .support_rows = 6, .query_rows = 5};
}

TaskShape classification(const Shape& example = {4}) {
  return {
      .example = example, .classification = true, .outputs = 3, .support_rows = 6, .query_rows = 6};
}

using Change = void (*)(Case&);

Case make(const std::string& name, const std::string& algorithm, const TaskShape& shape,
          Change change = nullptr) {
  Case result{name, base_config(algorithm), shape};
  if (change != nullptr) change(result);
  return result;
}

void use_small_images(Case& c) {
  c.config.model.kind = config::ModelKind::conv4;
  c.config.model.norm = config::Norm::batch;
  c.config.model.filters = 2;
  c.config.model.blocks = 2;
  c.config.inner.steps = 2;
}

std::vector<Case> make_exact_cases() {
  return {
      make("maml", "maml", regression()),
      make("maml_classes", "maml", classification(),
           [](Case& c) { c.config.inner.loss_reduction = config::LossReduction::sum_over_ways; }),
      make("maml_momentum", "maml", regression(),
           [](Case& c) { c.config.inner.optimizer = InnerOptimizer::momentum; }),
      make("maml_adam", "maml", regression(),
           [](Case& c) {
             c.config.inner.optimizer = InnerOptimizer::adam;
             c.config.inner.epsilon = 1e-3;
           }),
      make("maml_one_step", "maml", regression(), [](Case& c) { c.config.inner.steps = 1; }),
      make("maml_five_steps", "maml", regression(), [](Case& c) { c.config.inner.steps = 5; }),
      make("maml_weight_decay", "maml", regression(),
           [](Case& c) { c.config.inner.weight_decay = 0.3; }),
      make("maml_hyper", "maml", regression(),
           [](Case& c) {
             c.config.learner.learn_rate = c.config.learner.learn_weight_decay = true;
             c.config.inner.weight_decay = 0.2;
           }),
      make("maml_hyper_momentum", "maml", regression(),
           [](Case& c) {
             c.config.learner.learn_rate = c.config.learner.learn_weight_decay = true;
             c.config.inner.optimizer = InnerOptimizer::momentum;
             c.config.inner.weight_decay = 0.2;
           }),
      make("maml_hyper_adam", "maml", regression(),
           [](Case& c) {
             c.config.learner.learn_rate = c.config.learner.learn_weight_decay = true;
             c.config.inner.optimizer = InnerOptimizer::adam;
             c.config.inner.epsilon = 1e-3;
             c.config.inner.weight_decay = 0.2;
           }),
      make("maml_minibatch", "maml", regression(), [](Case& c) { c.shape.minibatch_rows = 2; }),
      make("maml_label_minibatch", "maml", classification(),
           [](Case& c) { c.shape.minibatch_rows = 4; }),
      make("maml_batch_norm", "maml", classification(),
           [](Case& c) { c.config.model.norm = config::Norm::batch; }),
      make("maml_one_by_one", "maml", classification(),
           [](Case& c) {
             c.config.model.norm = config::Norm::batch;
             c.config.learner.transductive = false;
             c.config.inner.steps = 1;
           }),
      make("maml_layer_norm", "maml", classification(),
           [](Case& c) {
             c.config.model.norm = config::Norm::layer;
             c.config.inner.adapt_norm = true;
           }),
      make("maml_dropout", "maml", regression(), [](Case& c) { c.config.model.dropout = 0.4; }),
      make("maml_images", "maml", classification({7, 6, 1}), use_small_images),
      make("maml_pooled_images", "maml", classification({8, 9, 2}),
           [](Case& c) {
             use_small_images(c);
             c.config.model.pooling = config::Pooling::max;
             c.config.model.readout = config::Readout::flatten;
             c.config.inner.adapt_norm = true;
           }),
      make("anil", "anil", regression()),
      make("anil_hyper", "anil", classification(),
           [](Case& c) {
             c.config.learner.learn_rate = c.config.learner.learn_weight_decay = true;
           }),
      make("boil", "boil", regression()),
      make("boil_hyper", "boil", classification(),
           [](Case& c) {
             c.config.learner.learn_rate = c.config.learner.learn_weight_decay = true;
           }),
      make("meta_sgd", "meta_sgd", regression()),
      make("mamlpp", "mamlpp", classification(),
           [](Case& c) {
             c.config.model.norm = config::Norm::batch;
             c.config.learner.multi_step_loss_epochs = 5;
           }),
      make("mamlpp_last_loss", "mamlpp", regression()),
      make("protonet", "protonet", classification()),
      make("protonet_joint", "protonet", classification(),
           [](Case& c) {
             c.config.model.norm = config::Norm::batch;
             c.config.learner.joint_batch = true;
           }),
      make("protonet_one_by_one", "protonet", classification(),
           [](Case& c) {
             c.config.model.norm = config::Norm::batch;
             c.config.learner.transductive = false;
           }),
      make("r2d2_by_features", "r2d2", classification()),
      make("r2d2_by_rows", "r2d2", classification(),
           [](Case& c) {
             c.config.model.hidden = {5, 9};
           }),
      make("r2d2_of_numbers", "r2d2", regression()),
      make("protonet_dropout", "protonet", classification(),
           [](Case& c) { c.config.model.dropout = 0.4; }),
      make("protonet_one_by_one_dropout", "protonet", classification(),
           [](Case& c) {
             c.config.model.norm = config::Norm::batch;
             c.config.learner.transductive = false;
             c.config.model.dropout = 0.4;
           }),
      make("r2d2_dropout", "r2d2", classification(), [](Case& c) { c.config.model.dropout = 0.4; }),
      make("learned_optimizer", "learned_optimizer", regression()),
      make("learned_optimizer_dropout", "learned_optimizer", regression(),
           [](Case& c) { c.config.model.dropout = 0.4; }),
  };
}

std::vector<Case> make_other_cases() {
  return {
      make("fomaml", "fomaml", regression()),
      make("meta_sgd_first_order", "meta_sgd", regression(),
           [](Case& c) { c.config.learner.order = config::Order::first; }),
      make("mamlpp_first_order", "mamlpp", classification(),
           [](Case& c) {
             c.config.model.norm = config::Norm::batch;
             c.config.learner.order = config::Order::first;
             c.config.learner.multi_step_loss_epochs = 5;
           }),
      make("truncated", "maml", regression(), [](Case& c) { c.config.learner.truncation = 2; }),
      make("imaml", "imaml", regression()),
      make("imaml_neumann", "imaml", regression(),
           [](Case& c) {
             c.config.learner.implicit.lambda = 20;
             c.config.inner.rate = 0.02;
             c.config.learner.implicit.solver = config::Solver::neumann;
           }),
      make("imaml_norm", "imaml", regression(),
           [](Case& c) { c.config.model.norm = config::Norm::layer; }),
      make("reptile", "reptile", classification(),
           [](Case& c) {
             c.config.inner.optimizer = InnerOptimizer::adam;
             c.config.inner.beta1 = 0;
             c.shape.minibatch_rows = 3;
           }),
  };
}

Tensor drawn(DType dtype, const Shape& shape, double scale, std::mt19937& generator) {
  std::normal_distribution<double> normal(0, scale);
  Tensor values(DType::f64, shape);
  // Exact in float32, so that both element types start from the same numbers.
  for (double& value : values.as<double>()) value = static_cast<float>(normal(generator));
  return values.cast(dtype);
}

// Each class in turn.
Tensor labels(int64_t rows, int64_t ways) {
  Tensor result(DType::i32, {rows});
  for (int64_t row = 0; row < rows; ++row) {
    result.as<int32_t>()[static_cast<size_t>(row)] = static_cast<int32_t>((2 * row + 1) % ways);
  }
  return result;
}

// An inner Adam's variances are not below zero, and the share of their beginning is below one.
bool is_of_variance(const std::string& parameter) {
  return parameter.starts_with("variance");
}

Tensor plus_noise(const nn::ParameterSpec& spec, std::mt19937& generator) {
  Tensor result = nn::initial_value(spec, 1).cast(DType::f64);
  const std::vector<double> noise = drawn(DType::f64, spec.shape, 0.05, generator).to_doubles();
  const auto values = result.as<double>();
  for (size_t i = 0; i < noise.size(); ++i) {
    const double value = values[i] + noise[i];
    values[i] = static_cast<float>(
        is_of_variance(spec.name) ? std::abs(values[i] - std::abs(noise[i])) : value);
  }
  return result;
}

}  // namespace

const std::vector<Case>& exact_cases() {
  static const std::vector<Case> cases = make_exact_cases();
  return cases;
}

const std::vector<Case>& other_cases() {
  static const std::vector<Case> cases = make_other_cases();
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = exact_cases();
  cases.insert(cases.end(), other_cases().begin(), other_cases().end());
  return cases;
}

const Case& case_called(const std::string& name) {
  for (const auto* cases : {&exact_cases(), &other_cases()}) {
    const auto place = std::ranges::find(*cases, name, &Case::name);
    if (place != cases->end()) return *place;
  }
  throw std::out_of_range(name);
}

Learner learner_of(const Case& test) {
  return make_learner(test.config, test.shape);
}

NamedTensors inputs_of(const Case& test, const Learner& learner, DType dtype, uint32_t seed) {
  std::mt19937 generator(seed);
  NamedTensors inputs;
  for (const nn::ParameterSpec& spec : learner.parameters) {
    inputs["theta/" + spec.name] = plus_noise(spec, generator).cast(dtype);
  }
  const TaskShape& shape = test.shape;
  const auto answers = [&](int64_t rows) {
    if (shape.classification) return labels(rows, shape.outputs);
    return drawn(dtype, {rows, shape.outputs}, 1, generator);
  };
  inputs["support_x"] = drawn(dtype, with_rows(shape.support_rows, shape.example), 1, generator);
  inputs["support_y"] = answers(shape.support_rows);
  inputs["query_x"] = drawn(dtype, with_rows(shape.query_rows, shape.example), 1, generator);
  inputs["query_y"] = answers(shape.query_rows);
  inputs["dropout_key"] = Tensor::from<int32_t>({4}, {11, 0, 3, 7});
  if (learner.steps > 0) {
    const std::vector<double> weights = multi_step_weights(1, 5, learner.steps);
    inputs["hyper/multi_step_weights"] = Tensor::from<double>({learner.steps}, weights).cast(dtype);
  }
  if (shape.minibatch_rows > 0) {
    Tensor rows(DType::i32, {learner.steps, shape.minibatch_rows});
    std::uniform_int_distribution<int32_t> row(0, static_cast<int32_t>(shape.support_rows) - 1);
    for (int32_t& value : rows.as<int32_t>()) value = row(generator);
    inputs["minibatch"] = rows;
  }
  return inputs;
}

std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

double number(const NamedTensors& values, std::string_view name) {
  return values.find(name)->second.to_doubles()[0];
}

}  // namespace outerloop::meta::testing
