#pragma once
// What a run does, as plain values. The member initialisers are the defaults; the schema
// (outerloop/config/schema.h) adds unit, range and help to each and names it by its path, so the
// member inner.rate is the key `inner.rate`. A default Config is Finn's sinusoid regression.

#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/config/choice.h"

namespace outerloop::config {

// Written [low, high].
struct Interval {
  double low = 0;
  double high = 0;
  bool operator==(const Interval&) const = default;
};

OL_CONFIG_CHOICE(TaskFamily, sinusoid, harmonic, images, table)
OL_CONFIG_CHOICE(Rotation, none, per_class, as_classes)
OL_CONFIG_CHOICE(Within, none, group)

// y = amplitude * sin(x - phase); each task draws amplitude and phase uniformly.
struct Sinusoid {
  Interval amplitude{0.1, 5.0};
  Interval phase{0.0, std::numbers::pi};
  Interval x{-5.0, 5.0};
};

// y = a1 sin(f x + b1) + a2 sin(2 f x + b2), x ~ N(centre, 1), a1, a2 ~ N(0, 1).
struct Harmonic {
  Interval centre{-4.0, 4.0};
  Interval frequency{5.0, 7.0};
  Interval phase{0.0, 2 * std::numbers::pi};
  double noise = 0.0;
};

OL_CONFIG_CHOICE(TargetKind, regression, classification)
OL_CONFIG_CHOICE(MissingCells, refuse, mean, median)

// What the columns of tasks.dataset are (outerloop/data/table_set.h).
struct Table {
  std::string task = "task";
  std::string split = "split";
  std::string target;
  TargetKind kind = TargetKind::regression;
  std::vector<std::string> features;  // empty = all the others
  std::vector<std::string> left_out;
  std::vector<std::string> categories;
  MissingCells missing = MissingCells::refuse;
  bool flag_missing = false;
  bool standardise = true;
};

struct Tasks {
  TaskFamily family = TaskFamily::sinusoid;
  std::string dataset;  // images, table: a file, found by find_file()
  std::string split;    // images: name of a split scheme in the data set; empty = its default
  std::int64_t ways = 1;
  std::int64_t shots = 10;    // per class; points of a regression task
  std::int64_t queries = 10;  // per class; points of a regression task
  Rotation rotation = Rotation::none;
  Within within = Within::none;
  Sinusoid sinusoid;
  Harmonic harmonic;
  Table table;
};

OL_CONFIG_CHOICE(ModelKind, mlp, conv4)
OL_CONFIG_CHOICE(Pooling, stride, max)
OL_CONFIG_CHOICE(Readout, mean, flatten)
OL_CONFIG_CHOICE(Activation, relu, tanh, leaky_relu)
OL_CONFIG_CHOICE(Norm, none, batch, layer)
OL_CONFIG_CHOICE(NormMode, batch_statistics)
OL_CONFIG_CHOICE(Init, he, xavier, fan_in, truncated_normal, normal, zeros)

struct Model {
  ModelKind kind = ModelKind::mlp;
  std::vector<std::int64_t> hidden{40, 40};
  std::int64_t filters = 64;
  std::int64_t blocks = 4;
  Pooling pooling = Pooling::stride;
  Readout readout = Readout::mean;
  Activation activation = Activation::relu;
  double leaky_slope = 0.01;
  Norm norm = Norm::none;
  NormMode norm_mode = NormMode::batch_statistics;
  bool norm_scale = true;
  bool norm_shift = true;
  double norm_epsilon = 1e-5;
  double dropout = 0.0;
  bool bias = true;
  Init init = Init::truncated_normal;
  double init_std = 0.01;  // for truncated_normal and normal
  Init head_init = Init::truncated_normal;
  double head_init_std = 0.01;
};

OL_CONFIG_CHOICE(Order, auto_, first, second)
OL_CONFIG_CHOICE(Solver, cg, neumann)

// Implicit meta-gradients: solve (I + H / lambda) g = gradient of the query loss.
struct Implicit {
  double lambda = 2.0;
  Solver solver = Solver::cg;
  std::int64_t iterations = 5;
  double tolerance = 0.0;
};

// Closed-form ridge regression head (R2D2); all three are starting values and are learned.
struct Ridge {
  double lambda = 1.0;
  double scale = 1.0;
  double bias = 0.0;
};

struct Learner {
  std::string algorithm = "maml";
  Order order = Order::auto_;
  std::int64_t truncation = 0;  // exact through the last n steps; 0 = through all
  bool learn_rate = false;
  bool learn_weight_decay = false;
  bool per_step_rate = true;  // mamlpp
  bool per_step_norm = true;  // mamlpp
  std::int64_t multi_step_loss_epochs = 0;
  bool transductive = true;            // all queries of a task in one batch
  bool joint_batch = false;            // protonet, r2d2: support and query in one batch
  std::int64_t optimizer_hidden = 16;  // learned_optimizer: hidden units per weight
  Implicit implicit;
  Ridge ridge;
};

OL_CONFIG_CHOICE(InnerOptimizer, sgd, momentum, adam)
OL_CONFIG_CHOICE(LossReduction, mean, sum_over_ways)

struct Inner {
  std::int64_t steps = 1;
  double rate = 0.01;
  InnerOptimizer optimizer = InnerOptimizer::sgd;
  double momentum = 0.9;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  std::int64_t segment = 0;  // steps kept between two stored states; 0 = keep all activations
  std::int64_t batch = 0;    // support examples per step; 0 = all
  LossReduction loss_reduction = LossReduction::mean;
  bool adapt_norm = false;  // whether norm scale and shift change in the inner loop
};

OL_CONFIG_CHOICE(OuterOptimizer, sgd, adam, adamw)
OL_CONFIG_CHOICE(Schedule, constant, cosine, step, linear)

struct Outer {
  std::int64_t iterations = 1000;
  std::int64_t meta_batch = 25;  // tasks per iteration
  std::int64_t epoch = 500;      // iterations per epoch
  OuterOptimizer optimizer = OuterOptimizer::adam;
  double rate = 0.001;
  double momentum = 0.0;  // sgd
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  Schedule schedule = Schedule::constant;
  double final_rate = 0.0;          // cosine, linear: what the rate falls towards
  std::int64_t schedule_every = 1;  // iterations between two changes of the rate
  double step_factor = 0.5;         // step: what each change multiplies by
  std::int64_t warmup = 0;          // iterations of linear rise to the scheduled rate
  std::optional<double> clip_value;
  std::optional<double> clip_norm;
  std::optional<double> ema;  // decay of the running mean of the meta-parameters
};

struct Validation {
  std::int64_t every = 500;  // iterations; 0 = never
  std::int64_t tasks = 200;
  std::int64_t patience = 0;  // validations without improvement before stopping; 0 = never stop
};

OL_CONFIG_CHOICE(TestRotation, as_training, none, per_class, as_classes)
OL_CONFIG_CHOICE(TestWithin, as_training, none, group)

// How validation and test tasks are drawn and solved; 0 and as_training mean as in training.
struct Test {
  std::int64_t tasks = 600;
  std::int64_t steps = 0;
  std::int64_t ways = 0;
  std::int64_t shots = 0;
  std::int64_t queries = 0;
  std::int64_t batch = 0;
  TestRotation rotation = TestRotation::as_training;
  TestWithin within = TestWithin::as_training;
  double diverged_loss = 20.0;
};

struct Checkpoint {
  std::int64_t every = 500;  // iterations; 0 = only at the end
  std::int64_t keep_last = 2;
  std::int64_t keep_every = 0;  // iterations; 0 = none kept for good
  bool best = true;
};

struct Log {
  double every_seconds = 5.0;
  std::int64_t every_iterations = 100;
  bool hashes = true;
};

struct Report {
  bool write = true;
  std::int64_t example_tasks = 4;
};

OL_CONFIG_CHOICE(Numerics, ordered, fast)
OL_CONFIG_CHOICE(Precision, float32, tf32, bfloat16)
OL_CONFIG_CHOICE(Device, cpu, cuda, auto_)
OL_CONFIG_CHOICE(Isa, auto_, scalar, avx2, avx512)

struct Runtime {
  std::int64_t threads = 0;  // 0 = one per allowed core
  Numerics numerics = Numerics::ordered;
  Precision precision = Precision::float32;
  Numerics reduction = Numerics::ordered;
  Device device = Device::cpu;
  Isa isa = Isa::auto_;
  std::int64_t self_check = 0;  // iterations between two; 0 = never
};

struct Stop {
  std::int64_t max_nonfinite = 100;
};

struct Config {
  std::int64_t seed = 0;
  std::string run_dir;
  Tasks tasks;
  Model model;
  Learner learner;
  Inner inner;
  Outer outer;
  Validation validation;
  Test test;
  Checkpoint checkpoint;
  Log log;
  Report report;
  Runtime runtime;
  Stop stop;
};

// How tasks are drawn and solved, with every "as in training" replaced by its value. Learners
// without inner steps (protonet, r2d2) have steps = 0.
struct Protocol {
  std::int64_t ways = 0;
  std::int64_t shots = 0;
  std::int64_t queries = 0;
  std::int64_t steps = 0;
  std::int64_t batch = 0;  // support examples per step; 0 = all
  Rotation rotation = Rotation::none;
  Within within = Within::none;
  bool operator==(const Protocol&) const = default;
};
Protocol training_protocol(const Config& config);
Protocol test_protocol(const Config& config);

// Whether the tasks have classes (else real-valued targets).
bool is_classification(const Config& config);
// Whether the tasks come from tasks.dataset.
bool has_dataset(const Config& config);

}  // namespace outerloop::config
