#include "outerloop/config/schema.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "outerloop/config/algorithms.h"
#include "outerloop/config/limits.h"

namespace outerloop::config {
namespace {

// `access` returns a reference to the member of the (const) Config that it is given.
template <class Access>
constexpr Field make_field(Access) {
  using Value = std::remove_reference_t<std::invoke_result_t<Access, Config&>>;
  if constexpr (std::is_enum_v<Value>) {
    return ChoiceMember{choice_words(Value{}),
                        [](Config& c, int place) { Access{}(c) = static_cast<Value>(place); },
                        [](const Config& c) { return static_cast<int>(Access{}(c)); }};
  } else {
    return Member<Value>{[](Config& c) -> Value& { return Access{}(c); },
                         [](const Config& c) -> const Value& { return Access{}(c); }};
  }
}

// The member's name is the key's path.
#define OL_KEY(member) \
  .path = #member, .field = make_field([](auto& c) -> auto& { return c.member; })

constexpr Bounds at_least(double low) {
  return {.low = low};
}
constexpr Bounds between(double low, double high) {
  return {.low = low, .high = high};
}
// What a float holds with room for arithmetic.
constexpr Bounds real() {
  return between(-1e30, 1e30);
}
// What a float does not take for zero, with room for arithmetic.
constexpr Bounds above_zero() {
  return at_least(1e-30);
}
constexpr Bounds fraction_below_one() {
  return {.low = 0, .high = 1, .high_open = true};
}

constexpr double kMany = 1e12;  // more than any count can be; keeps products within 64 bits
constexpr Bounds count_from(double low) {
  return between(low, kMany);
}

constexpr auto kSchema = std::to_array<Key>({
    {OL_KEY(seed), .bounds = count_from(0), .help = "every random number follows from it"},
    {OL_KEY(run_dir), .help = "folder of the run; empty = runs/<config name>-seed<seed>",
     .is_path = true, .changes_results = false},

    {OL_KEY(tasks.family), .help = "where tasks come from"},
    {OL_KEY(tasks.dataset),
     .help = "images, table: data set file, looked up from the config's "
             "folder, the working directory and "
             "$OUTERLOOP_DATA",
     .is_path = true},
    {OL_KEY(tasks.split),
     .help = "images: split scheme stored in the data set; empty = its default"},
    {OL_KEY(tasks.ways), .bounds = between(1, 10000), .unit = "classes",
     .help = "classes of a task; 1 for regression"},
    {OL_KEY(tasks.shots), .bounds = between(1, 10000), .unit = "examples per class",
     .help = "support examples per class; support points of a regression task"},
    {OL_KEY(tasks.queries), .bounds = between(1, 10000), .unit = "examples per class",
     .help = "query examples per class; query points of a regression task"},
    {OL_KEY(tasks.rotation),
     .help = "images: per_class turns each class of a task by a random multiple of 90 degrees; "
             "as_classes makes four classes of each"},
    {OL_KEY(tasks.within),
     .help = "images: group draws all classes of a task from one group (Omniglot: one alphabet)"},
    {OL_KEY(tasks.sinusoid.amplitude), .bounds = real(), .help = "range of a task's amplitude"},
    {OL_KEY(tasks.sinusoid.phase), .bounds = real(), .unit = "rad",
     .help = "range of a task's phase"},
    {OL_KEY(tasks.sinusoid.x), .bounds = real(), .help = "range of the inputs"},
    {OL_KEY(tasks.harmonic.centre), .bounds = real(),
     .help = "range of the mean of a task's inputs"},
    {OL_KEY(tasks.harmonic.frequency), .bounds = real(), .unit = "rad per unit of x",
     .help = "range of a task's frequency"},
    {OL_KEY(tasks.harmonic.phase), .bounds = real(), .unit = "rad",
     .help = "range of both phases of a task"},
    {OL_KEY(tasks.harmonic.noise), .bounds = between(0, 1e30),
     .help = "standard deviation added to the targets"},
    {OL_KEY(tasks.table.task), .help = "column that names a row's task", .newer = true},
    {OL_KEY(tasks.table.split),
     .help = "column that says train, validation (or val) or test; the same in all rows of a task",
     .newer = true},
    {OL_KEY(tasks.table.target), .help = "column to predict; rows without it are left out",
     .newer = true},
    {OL_KEY(tasks.table.kind), .help = "whether the target is a number or a class", .newer = true},
    {OL_KEY(tasks.table.features),
     .help = "columns to predict from; [] = all but the above and left_out", .newer = true},
    {OL_KEY(tasks.table.left_out), .help = "columns to pass over", .newer = true},
    {OL_KEY(tasks.table.categories),
     .help = "features whose cells are names; each name of the training rows becomes an input",
     .newer = true},
    {OL_KEY(tasks.table.missing),
     .help = "what a missing number counts as: the mean or median of the column's training rows",
     .newer = true},
    {OL_KEY(tasks.table.flag_missing),
     .help = "a second input for columns with missing numbers: 1 where missing", .newer = true},
    {OL_KEY(tasks.table.standardise),
     .help = "numbers, and real targets, get mean 0 and deviation 1 on the training rows",
     .newer = true},

    {OL_KEY(model.kind), .help = "mlp: dense layers; conv4: blocks of 3x3 convolution"},
    {OL_KEY(model.hidden), .bounds = between(1, 65536), .unit = "units",
     .help = "mlp: widths of the hidden layers; [] = a linear model"},
    {OL_KEY(model.filters), .bounds = between(1, 4096), .help = "conv4: channels of each block"},
    {OL_KEY(model.blocks), .bounds = between(1, 16), .help = "conv4: number of blocks"},
    {OL_KEY(model.pooling),
     .help = "conv4: stride = convolutions of stride 2; max = 2x2 max-pooling after each block"},
    {OL_KEY(model.readout),
     .help = "conv4: what the head sees of the last block: the mean over places or all of it"},
    {OL_KEY(model.activation), .help = "after each hidden layer or block"},
    {OL_KEY(model.leaky_slope), .bounds = between(0, 1), .help = "leaky_relu: slope below zero"},
    {OL_KEY(model.norm), .help = "normalisation between layer and activation"},
    {OL_KEY(model.norm_mode),
     .help =
         "batch_statistics: mean and variance of the current batch, support and query apart, in "
         "training and test"},
    {OL_KEY(model.norm_scale), .help = "whether normalisation has a learned factor (gamma)"},
    {OL_KEY(model.norm_shift), .help = "whether normalisation has a learned offset (beta)"},
    {OL_KEY(model.norm_epsilon), .bounds = above_zero(),
     .help = "added to the variance in normalisation"},
    {OL_KEY(model.dropout), .bounds = fraction_below_one(),
     .help = "share of activations set to zero in training"},
    {OL_KEY(model.bias), .help = "whether layers before a normalisation or head have a bias"},
    {OL_KEY(model.init),
     .help =
         "weights at the start: he and xavier by He's and Glorot's uniform laws, fan_in uniform "
         "within 1/sqrt(inputs)"},
    {OL_KEY(model.init_std), .bounds = at_least(0),
     .help = "standard deviation of normal and truncated_normal"},
    {OL_KEY(model.head_init), .help = "weights of the last layer at the start"},
    {OL_KEY(model.head_init_std), .bounds = at_least(0),
     .help = "standard deviation of normal and truncated_normal in the last layer"},

    {OL_KEY(learner.algorithm), .words = kAlgorithmWords, .help = "the meta-learner"},
    {OL_KEY(learner.order),
     .help = "derivatives through the inner loop; auto = second, but first for fomaml"},
    {OL_KEY(learner.truncation), .bounds = between(0, 100000), .unit = "steps",
     .help = "exact derivatives through the last so many inner steps only; 0 = through all"},
    {OL_KEY(learner.learn_rate), .help = "learn inner.rate by its hypergradient"},
    {OL_KEY(learner.learn_weight_decay), .help = "learn inner.weight_decay by its hypergradient"},
    {OL_KEY(learner.per_step_rate), .help = "mamlpp: learn a rate per tensor and step"},
    {OL_KEY(learner.per_step_norm), .help = "mamlpp: own norm scale and shift for each step"},
    {OL_KEY(learner.multi_step_loss_epochs), .bounds = between(0, 1e6), .unit = "epochs",
     .help = "mamlpp: epochs until only the last step's loss counts; 0 = from the start"},
    {OL_KEY(learner.transductive),
     .help = "all queries of a task in one batch (they share batch statistics); false = one by one "
             "beside the support set"},
    {OL_KEY(learner.joint_batch),
     .help = "protonet, r2d2: support and query go through the network as one batch, so that batch "
             "norm sees both"},
    {OL_KEY(learner.optimizer_hidden), .bounds = between(1, 4096), .unit = "units",
     .help = "learned_optimizer: hidden units of the update rule's network"},
    {OL_KEY(learner.implicit.lambda), .bounds = above_zero(),
     .help = "imaml: strength of the pull towards the meta-parameters"},
    {OL_KEY(learner.implicit.solver), .help = "imaml: conjugate gradients or a Neumann series"},
    {OL_KEY(learner.implicit.iterations), .bounds = between(1, 400),
     .help = "imaml: of the solver"},
    {OL_KEY(learner.implicit.tolerance), .bounds = fraction_below_one(),
     .help = "imaml: the solver stops below this relative residual; 0 = never early"},
    {OL_KEY(learner.ridge.lambda), .bounds = at_least(kLeastRidge),
     .help = "r2d2: ridge strength at the start (learned)"},
    {OL_KEY(learner.ridge.scale), .bounds = above_zero(),
     .help = "r2d2: factor on the answers at the start (learned)"},
    {OL_KEY(learner.ridge.bias), .help = "r2d2: offset on the answers at the start (learned)"},

    {OL_KEY(inner.steps), .bounds = between(1, 100000), .unit = "steps",
     .help = "adaptation steps in training; protonet and r2d2 take none"},
    {OL_KEY(inner.rate), .bounds = at_least(0), .help = "step size of the adaptation"},
    {OL_KEY(inner.optimizer), .help = "rule of the adaptation"},
    {OL_KEY(inner.momentum), .bounds = fraction_below_one(), .help = "of the momentum rule"},
    {OL_KEY(inner.beta1), .bounds = fraction_below_one(), .help = "adam: decay of the mean"},
    {OL_KEY(inner.beta2), .bounds = fraction_below_one(), .help = "adam: decay of the mean square"},
    {OL_KEY(inner.epsilon), .bounds = above_zero(), .help = "adam: added to the root"},
    {OL_KEY(inner.weight_decay), .bounds = at_least(0),
     .help = "times the weights, added to the gradient"},
    {OL_KEY(inner.segment), .bounds = between(0, 100000), .unit = "steps",
     .help = "steps between two stored states; activations inside are recomputed; 0 = store all",
     .changes_results = false},
    {OL_KEY(inner.batch), .bounds = between(0, 1e8), .unit = "examples",
     .help = "support examples per step, drawn without replacement in passes; 0 = all"},
    {OL_KEY(inner.loss_reduction),
     .help = "of the cross-entropy: mean over the support set, or ways times that (Finn's code)"},
    {OL_KEY(inner.adapt_norm),
     .help = "whether norm scale and shift change in the inner loop; reptile: they always do"},

    {OL_KEY(outer.iterations), .bounds = count_from(0), .unit = "iterations",
     .help = "length of the training"},
    {OL_KEY(outer.meta_batch), .bounds = between(1, 1e6), .unit = "tasks",
     .help = "tasks per iteration"},
    {OL_KEY(outer.epoch), .bounds = count_from(1), .unit = "iterations",
     .help = "length of an epoch, the clock of learner.multi_step_loss_epochs"},
    {OL_KEY(outer.optimizer), .help = "rule for the meta-parameters"},
    {OL_KEY(outer.rate), .bounds = at_least(0), .help = "step size for the meta-parameters"},
    {OL_KEY(outer.momentum), .bounds = fraction_below_one(), .help = "sgd: momentum"},
    {OL_KEY(outer.beta1), .bounds = fraction_below_one(), .help = "adam, adamw: decay of the mean"},
    {OL_KEY(outer.beta2), .bounds = fraction_below_one(),
     .help = "adam, adamw: decay of the mean square"},
    {OL_KEY(outer.epsilon), .bounds = above_zero(), .help = "adam, adamw: added to the root"},
    {OL_KEY(outer.weight_decay), .bounds = at_least(0),
     .help = "adamw: decoupled decay; sgd, adam: added to the gradient"},
    {OL_KEY(outer.schedule), .help = "of outer.rate over the iterations"},
    {OL_KEY(outer.final_rate), .bounds = at_least(0),
     .help =
         "cosine, linear: rate that the schedule falls towards; reached one step after the end"},
    {OL_KEY(outer.schedule_every), .bounds = count_from(1), .unit = "iterations",
     .help = "cosine, linear: the rate changes each so many iterations; step: between two cuts"},
    {OL_KEY(outer.step_factor), .bounds = {.low = 0, .high = 1, .low_open = true},
     .help = "step: what each cut multiplies the rate by"},
    {OL_KEY(outer.warmup), .bounds = count_from(0), .unit = "iterations",
     .help = "linear rise from zero to the scheduled rate"},
    {OL_KEY(outer.clip_value), .bounds = above_zero(),
     .help = "each element of the meta-gradient is cut to this size; none = off"},
    {OL_KEY(outer.clip_norm), .bounds = above_zero(),
     .help = "the meta-gradient is scaled down to this length; none = off"},
    {OL_KEY(outer.ema), .bounds = fraction_below_one(),
     .help = "decay of a running mean of the meta-parameters, used in test; none = off"},

    {OL_KEY(validation.every), .bounds = count_from(0), .unit = "iterations",
     .help = "between two validations; 0 = never"},
    {OL_KEY(validation.tasks), .bounds = between(1, 1e7), .unit = "tasks",
     .help = "fixed validation tasks"},
    {OL_KEY(validation.patience), .bounds = count_from(0), .unit = "validations",
     .help = "without improvement before the training stops; 0 = never stops early"},

    {OL_KEY(test.tasks), .bounds = between(0, 1e7), .unit = "tasks",
     .help = "test tasks at the end; 0 = no test"},
    {OL_KEY(test.steps), .bounds = between(0, 100000), .unit = "steps",
     .help = "adaptation steps in validation and test; 0 = inner.steps"},
    {OL_KEY(test.ways), .bounds = between(0, 10000), .unit = "classes", .help = "0 = tasks.ways"},
    {OL_KEY(test.shots), .bounds = between(0, 10000), .unit = "examples per class",
     .help = "0 = tasks.shots"},
    {OL_KEY(test.queries), .bounds = between(0, 10000), .unit = "examples per class",
     .help = "0 = tasks.queries"},
    {OL_KEY(test.batch), .bounds = between(0, 1e8), .unit = "examples",
     .help = "support examples per step in validation and test; 0 = inner.batch"},
    {OL_KEY(test.rotation), .help = "as tasks.rotation, for validation and test"},
    {OL_KEY(test.within), .help = "as tasks.within, for validation and test"},
    {OL_KEY(test.diverged_loss), .bounds = above_zero(),
     .help = "a task that ends above this loss, or not finite, counts as diverged"},

    {OL_KEY(checkpoint.every), .bounds = count_from(0), .unit = "iterations",
     .help = "between two checkpoints; 0 = only at the end. They are written beside the training, "
             "which waits only where one takes longer than the way to the next: a kill costs at "
             "most so many iterations, and as many more while a checkpoint is being written",
     .changes_results = false},
    {OL_KEY(checkpoint.keep_last), .bounds = between(1, 1e6), .unit = "checkpoints",
     .help = "newest ones that are kept", .changes_results = false},
    {OL_KEY(checkpoint.keep_every), .bounds = count_from(0), .unit = "iterations",
     .help = "checkpoints at multiples of this are kept for good; 0 = none",
     .changes_results = false},
    {OL_KEY(checkpoint.best),
     .help = "keep the checkpoint that is best in validation: by mean accuracy, in regression by "
             "median loss",
     .changes_results = false},

    {OL_KEY(log.every_seconds), .bounds = above_zero(), .unit = "s",
     .help = "between two progress lines where there is no terminal", .changes_results = false},
    {OL_KEY(log.every_iterations), .bounds = count_from(1), .unit = "iterations",
     .help = "between two records in metrics.jsonl", .changes_results = false},
    {OL_KEY(log.hashes),
     .help = "write hashes.bin, which `outerloop replay` and `ckpt diff` go by: each iteration 4 "
             "bytes a task and 8 a tensor",
     .changes_results = false},

    {OL_KEY(report.write), .help = "write report.html at the end", .changes_results = false},
    {OL_KEY(report.example_tasks), .bounds = between(0, 100), .unit = "tasks",
     .help = "test tasks shown in the report", .changes_results = false},

    {OL_KEY(runtime.threads), .bounds = between(0, 1024), .unit = "threads",
     .help =
         "0 = one per core that the process may use, fewer where its control group has less time",
     .changes_results = false},
    {OL_KEY(runtime.numerics),
     .help =
         "ordered: the same bits on any processor, number of threads and GPU; fast: a GPU's cuBLAS "
         "makes the products of matrices that are kernels of their own, which gives this up; "
         "convolutions, and tasks that fit into one kernel, stay as they are"},
    {OL_KEY(runtime.precision), .help = "what fast products round their float32 inputs to",
     .newer = true},
    {OL_KEY(runtime.reduction),
     .help = "sum over the ranks; ordered: the same bits on any number of them; fast: by MPI's or "
             "NCCL's own all-reduce, which gives this up",
     .newer = true},
    {OL_KEY(runtime.device),
     .help =
         "what computes the tasks of trainings and evaluations, to the same bits; auto = cuda if "
         "there is one",
     .changes_results = false, .once_changed_results = true},
    {OL_KEY(runtime.isa), .help = "vector instructions; auto = the widest there are",
     .changes_results = false},

    {OL_KEY(runtime.self_check), .bounds = count_from(0), .unit = "iterations",
     .help = "between two checks that recompute a task on another rank and compare the bits; 0 = "
             "never",
     .changes_results = false},

    {OL_KEY(stop.max_nonfinite), .bounds = count_from(0), .unit = "tasks",
     .help = "tasks left out for a loss or gradient that is not finite before the run stops"},
});

}  // namespace

std::span<const Key> schema() {
  return kSchema;
}

const Key* find_key(std::string_view path) {
  const auto found = std::find_if(kSchema.begin(), kSchema.end(),
                                  [path](const Key& key) { return key.path == path; });
  return found == kSchema.end() ? nullptr : &*found;
}

bool is_section(std::string_view path) {
  return std::any_of(kSchema.begin(), kSchema.end(), [path](const Key& key) {
    return key.path.size() > path.size() && key.path.starts_with(path) &&
           key.path[path.size()] == '.';
  });
}

}  // namespace outerloop::config
