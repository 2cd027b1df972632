#include "train/device_steps.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "outerloop/train/device_programs.h"

namespace outerloop::train {
namespace {

exec::cuda::StepLog::Results results_of(const DeviceBatch& batch,
                                        const std::vector<meta::Measure>& measures,
                                        const DeviceUpdate& update, std::byte* counts,
                                        std::byte* hashes) {
  exec::cuda::StepLog::Results results{.losses = batch.source("loss"),
                                       .accuracies = batch.source("accuracy"),
                                       .counts = counts,
                                       .gradient_hashes = hashes,
                                       .state_hashes = update.hashes(),
                                       .made = update.made()};
  for (const meta::Measure& measure : measures) {
    results.measures.push_back(batch.source("measure/" + measure.name));
  }
  return results;
}

}  // namespace

DeviceSteps::DeviceSteps(const config::Config& config, const DevicePlan& plan, DeviceUpdate& update,
                         const TeamWork& work)
    : config_(config.outer),
      plan_(plan),
      update_(update),
      batch_(plan, config_.meta_batch),
      // In one block, vectors would wait for its few threads.
      counted_(exec::cuda::Executable::compile(
          slot_counts_program(config_.meta_batch, work.layout.elements), plan.shared_device(), {},
          exec::cuda::Steps::one_by_one)),
      counted_lanes_(counted_, 1),
      total_(plan.shared_device(), config_.meta_batch, work.layout.elements),
      bit_sums_(plan.shared_device(), ends_of(work.layout)),
      counts_(plan.device().allocate(static_cast<size_t>(config_.meta_batch) * sizeof(float))),
      hashes_(plan.device().allocate(static_cast<size_t>(config_.meta_batch) *
                                     work.layout.entries.size() * sizeof(uint32_t))),
      row_{.tasks = config_.meta_batch,
           .parameters = static_cast<int64_t>(work.layout.entries.size()),
           .vectors = update.vectors(),
           .measures = static_cast<int64_t>(work.measures.size()),
           .has_accuracy = batch_.source("accuracy") != nullptr},
      log_(plan.shared_device(), row_, most(),
           results_of(batch_, work.measures, update, counts_.data, hashes_.data),
           update.head() + offsetof(DeviceUpdate::Head, rate)) {
  for (auto* numbers : {&rates_, &corrections1_, &corrections2_}) {
    numbers->reserve(static_cast<size_t>(most()));
  }
  bind();
  const exec::DeviceStream& stream = plan_.stream();
  plan_.device().begin_recording(stream);
  log_.launch_begin(stream);
  batch_.launch(log_.step());
  counted_lanes_.run(stream);
  total_.run(stream, batch_.gradients(), counts_.data,
             reinterpret_cast<std::byte*>(update_.sum().data()));
  const int64_t vector_bytes = work.layout.elements * static_cast<int64_t>(sizeof(float));
  bit_sums_.run(stream, row_.tasks, {batch_.gradients(), vector_bytes},
                {hashes_.data, row_.parameters * static_cast<int64_t>(sizeof(uint32_t))});
  update_.launch();
  log_.launch_end(stream);
  graph_ = plan_.device().end_recording(stream);
}

void DeviceSteps::bind() {
  const Program& program = counted_->optimised();
  counted_lanes_.bind_input(program.input_index("gradients"), batch_.gradients());
  counted_lanes_.bind_input(program.input_index("losses"), batch_.source("loss"));
  counted_lanes_.bind_output(program.output_index("counts"), counts_.data, 0);
  counted_lanes_.bind_output(program.output_index("count"),
                             update_.head() + offsetof(DeviceUpdate::Head, count), 0);
}

// Of a step it is known when it is, and not how many updates were made before.
void DeviceSteps::start(const data::TaskKey& first, int64_t count) {
  const auto first_iteration = static_cast<int64_t>(first.iteration);
  steps_ = 0;
  for (auto* numbers : {&rates_, &corrections1_, &corrections2_}) numbers->clear();
  for (int64_t i = 0; i < count; ++i) {
    const optim::OuterScalars scalars =
        optim::outer_scalars(config_, first_iteration + i, update_.updates() + i);
    rates_.push_back(static_cast<float>(scalars.rate));
    corrections1_.push_back(static_cast<float>(scalars.correction1));
    corrections2_.push_back(static_cast<float>(scalars.correction2));
  }
  batch_.set_tasks(first);
  log_.restart(plan_.stream(), rates_, corrections1_, corrections2_);
}

void DeviceSteps::step() {
  plan_.device().launch(plan_.stream(), graph_);
  ++steps_;
}

void DeviceSteps::finish() {
  log_.fetch(plan_.stream(), steps_);
  plan_.device().synchronize(plan_.stream());
  int64_t made = 0;
  for (int64_t i = 0; i < steps_; ++i) made += log_.row(i).back();
  update_.count_updates(made);
}

bool DeviceSteps::take(int64_t i, TaskResults& results, StepHashes& hashes) const {
  const std::span<const uint32_t> words = log_.row(i);
  const auto numbers = static_cast<size_t>(row_.tasks * row_.task_words());
  std::ranges::transform(words.first(numbers), results.numbers().begin(),
                         [](uint32_t word) { return std::bit_cast<float>(word); });
  const auto parameters = static_cast<size_t>(row_.parameters);
  std::ranges::copy(words.subspan(numbers, parameters), hashes.gradients.begin());
  std::ranges::copy(words.subspan(numbers + parameters, parameters), hashes.state.begin());
  return words.back() != 0;
}

}  // namespace outerloop::train
