#include "outerloop/train/setup.h"

#include "outerloop/config/read.h"
#include "outerloop/data/function_families.h"
#include "outerloop/data/image_family.h"
#include "outerloop/data/table_family.h"
#include "outerloop/train/stored_run.h"
#include "train/device_choice.h"

namespace outerloop::train {
namespace {

data::Range range(const config::Interval& interval) {
  return {static_cast<float>(interval.low), static_cast<float>(interval.high)};
}

data::EpisodeShape episode_shape(const config::Protocol& protocol) {
  data::EpisodeShape shape{.ways = static_cast<int>(protocol.ways),
                           .shots = static_cast<int>(protocol.shots),
                           .queries = static_cast<int>(protocol.queries)};
  if (protocol.batch > 0) {
    shape.minibatch_steps = static_cast<int>(protocol.steps);
    shape.minibatch_rows = static_cast<int>(protocol.batch);
  }
  return shape;
}

data::TableColumns table_columns(const config::Table& table) {
  return {.task = table.task,
          .split = table.split,
          .target = table.target,
          .classification = table.kind == config::TargetKind::classification,
          .features = table.features,
          .left_out = table.left_out,
          .categories = table.categories,
          .missing = table.missing,
          .flag_missing = table.flag_missing,
          .standardise = table.standardise};
}

}  // namespace

Data load_data(const config::Config& config, const std::filesystem::path& folder,
               const data::TablePreparation* known) {
  if (!config::has_dataset(config)) return {};
  Data data{.file = std::filesystem::absolute(config::find_file(config.tasks.dataset, folder))};
  if (config.tasks.family == config::TaskFamily::table) {
    data.table = std::make_shared<const data::TableSet>(
        data::load_table_set(data.file, table_columns(config.tasks.table), known));
    data.fingerprint = data::fingerprint(*data.table);
  } else {
    data.images = std::make_shared<const data::ImageSet>(data::load_image_set(data.file));
    data.fingerprint = data::fingerprint(*data.images);
  }
  return data;
}

std::shared_ptr<const data::TaskFamily> make_family(const config::Config& config,
                                                    const config::Protocol& protocol,
                                                    const Data& data) {
  const config::Tasks& tasks = config.tasks;
  const data::EpisodeShape shape = episode_shape(protocol);
  switch (tasks.family) {
    case config::TaskFamily::sinusoid:
      return data::make_sinusoid(shape, {.amplitude = range(tasks.sinusoid.amplitude),
                                         .phase = range(tasks.sinusoid.phase),
                                         .x = range(tasks.sinusoid.x)});
    case config::TaskFamily::harmonic:
      return data::make_harmonic(shape, {.centre = range(tasks.harmonic.centre),
                                         .frequency = range(tasks.harmonic.frequency),
                                         .phase = range(tasks.harmonic.phase),
                                         .noise = static_cast<float>(tasks.harmonic.noise)});
    case config::TaskFamily::table:
      return data::make_table_family(data.table, shape);
    case config::TaskFamily::images:
      break;
  }
  const config::Rotation turned = protocol.rotation;
  return data::make_image_family(data.images, shape,
                                 {.split_scheme = tasks.split,
                                  .rotation = {turned, turned, turned},
                                  .within_group = protocol.within == config::Within::group});
}

meta::TaskShape task_shape(const data::TaskFamily& family) {
  const data::EpisodeSpec& spec = family.spec();
  meta::TaskShape shape{.classification = spec.classification,
                        .support_rows = spec.support_x.shape[0],
                        .query_rows = spec.query_x.shape[0],
                        .minibatch_rows = family.shape().minibatch_rows};
  for (int axis = 1; axis < spec.support_x.shape.rank(); ++axis) {
    shape.example.append(spec.support_x.shape[axis]);
  }
  shape.outputs = spec.classification ? family.shape().ways : spec.support_y.shape[1];
  return shape;
}

exec::CompileOptions compile_options(const config::Config& config) {
  exec::CompileOptions options;
  if (config.runtime.isa == config::Isa::scalar) options.isa = exec::Isa::scalar;
  if (config.runtime.isa == config::Isa::avx2) options.isa = exec::Isa::avx2;
  if (config.runtime.isa == config::Isa::avx512) options.isa = exec::Isa::avx512;
  return options;
}

Setup make_setup(const config::Config& config, const std::filesystem::path& folder,
                 const data::TablePreparation* known) {
  Setup setup{.config = config, .data = load_data(config, folder, known)};
  const config::Protocol test = config::test_protocol(config);
  setup.train_tasks = make_family(config, config::training_protocol(config), setup.data);
  setup.test_tasks = make_family(config, test, setup.data);
  setup.train_shape = task_shape(*setup.train_tasks);
  setup.test_shape = task_shape(*setup.test_tasks);
  setup.learner = meta::make_learner(config, setup.train_shape);
  setup.test_steps = setup.learner.step ? test.steps : 0;
  return setup;
}

Setup make_training_setup(const config::Resolved& resolved) {
  const config::Config config = with_known_dataset(resolved);
  check_device(config);
  Setup setup = make_setup(config, resolved.folder);
  meta::check_task(setup.learner, setup.train_shape, setup.learner.steps);
  meta::check_task(setup.learner, setup.test_shape, setup.test_steps);
  setup.train_tasks->check(data::Split::train);
  if (config.validation.every > 0) setup.test_tasks->check(data::Split::validation);
  if (config.test.tasks > 0) setup.test_tasks->check(data::Split::test);
  return setup;
}

}  // namespace outerloop::train
