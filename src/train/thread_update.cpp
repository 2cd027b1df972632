#include "train/thread_update.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "outerloop/base/error.h"
#include "outerloop/base/vector_clones.h"
#include "outerloop/comm/exchange_plan.h"
#include "train/finite.h"

namespace outerloop::train {
namespace {

// Fewer are done before another thread has heard of them.
constexpr int64_t kLeastElements = 2048;

// A norm over all elements cannot be cut; everything else is elementwise.
std::vector<comm::Range> ranges_of_threads(const config::Outer& config, int64_t elements,
                                           int64_t threads) {
  const int64_t most = std::max<int64_t>(elements / kLeastElements, 1);
  const int64_t pieces = config.clip_norm ? 1 : std::min(threads, most);
  const int64_t blocks = elements / optim::kThetaAlignment;
  const auto border = [&](int64_t t) { return t * blocks / pieces * optim::kThetaAlignment; };
  std::vector<comm::Range> ranges;
  for (int64_t t = 0; t < pieces; ++t) ranges.push_back({border(t), border(t + 1)});
  return ranges;
}

OUTERLOOP_VECTOR_CLONES void multiply(float* values, size_t count, float factor) {
  for (size_t i = 0; i < count; ++i) values[i] *= factor;
}

}  // namespace

// One thread's range of elements. The step is computed beside the state, which it replaces only
// when the steps of all shards are finite.
struct ThreadUpdate::Shard {
  Shard(const std::shared_ptr<const Program>& program, CallCompiler& compiler, int64_t first,
        int64_t last)
      : begin(first),
        end(last),
        call(meta::Call{.program = program}, compiler),
        workspace(call.executable().lane_arena_bytes()) {}

  bool compute() {
    call.refresh();
    instance->run();
    return std::ranges::all_of(
        results, [](const Result& result) { return all_finite(result.value.as<float>()); });
  }

  void commit() {
    for (const Result& result : results) {
      std::memcpy(result.home, result.value.data(), result.value.bytes());
    }
  }

  size_t bytes() const {
    const exec::Executable& executable = call.executable();
    size_t sum = executable.lane_arena_bytes() + executable.shared_arena_bytes();
    for (const Result& result : results) sum += result.value.bytes();
    return sum;
  }

  struct Result {
    float* home;
    Tensor value;
  };
  int64_t begin;
  int64_t end;
  CompiledCall call;
  exec::Workspace workspace;
  std::vector<Result> results;
  std::optional<exec::Instance> instance;
  bool finite = false;
};

ThreadUpdate::ThreadUpdate(const config::Config& config, const nn::ParameterSpecs& parameters,
                           const optim::ThetaLayout& layout, ThreadPool& pool,
                           CallCompiler& compiler, OuterState start)
    : config_(config.outer),
      pool_(pool),
      state_(std::move(start)),
      mean_(DType::f32, Shape{layout.elements}),
      decay_mask_(decaying_weights(config_, parameters, layout)),
      parameter_ends_(ends_of(layout)),
      bit_sums_(parameter_ends_.size()) {
  make_shards(compiler);
}

ThreadUpdate::~ThreadUpdate() = default;

void ThreadUpdate::make_shards(CallCompiler& compiler) {
  std::map<int64_t, optim::OuterPlan> plans;  // by elements: shards of one size share a program
  for (const auto& [begin, end] : ranges_of_threads(config_, mean_.elements(), pool_.size())) {
    optim::OuterPlan& plan = plans[end - begin];
    if (!plan.update) plan = optim::make_outer_plan(config_, end - begin);
    shards_.push_back(std::make_unique<Shard>(plan.update, compiler, begin, end));
    bind(*shards_.back());
  }
}

void ThreadUpdate::bind(Shard& shard) {
  const auto part = [&](Tensor& tensor) { return tensor.as<float>().data() + shard.begin; };
  std::map<std::string, float*, std::less<>> homes{{"theta", part(state_.theta)}};
  for (io::NamedTensor& item : state_.optimizer) homes["state/" + item.name] = part(item.value);
  std::map<std::string, const float*, std::less<>> inputs{homes.begin(), homes.end()};
  inputs["gradient"] = part(mean_);
  if (!decay_mask_.empty()) inputs["decay_mask"] = part(decay_mask_);
  shard.call.bind_shared(
      {{"rate", &scalars_[0]}, {"correction1", &scalars_[1]}, {"correction2", &scalars_[2]}});
  shard.instance.emplace(shard.call.instance(
      shard.workspace,
      [&](const std::string& name, const TensorType&) {
        const auto input = inputs.find(name);
        OL_ASSERT(input != inputs.end(), "nobody gives the update's input " + name);
        return input->second;
      },
      [&](const std::string& name, const TensorType& type) {
        const auto home = homes.find(name);
        OL_ASSERT(home != homes.end(), "nobody takes the update's output " + name);
        shard.results.push_back({home->second, Tensor(type.dtype, type.shape)});
        return shard.results.back().value.data();
      }));
}

void ThreadUpdate::set_state(const OuterState& state) {
  copy_state(state, state_);
}

void ThreadUpdate::set_scalars(int64_t iteration) {
  const optim::OuterScalars values = optim::outer_scalars(config_, iteration, state_.updates);
  scalars_[0] = static_cast<float>(values.rate);
  scalars_[1] = static_cast<float>(values.correction1);
  scalars_[2] = static_cast<float>(values.correction2);
}

template <class Work>
void ThreadUpdate::on_shards(Work work) {
  if (shards_.size() == 1) return work(*shards_.front());
  pool_.run([&](int thread) {
    const auto t = static_cast<size_t>(thread);
    if (t < shards_.size()) work(*shards_[t]);
  });
}

// Piece by piece, each of which stays in the L1 cache. Returns whether all of it is finite.
bool ThreadUpdate::take_mean(std::span<const comm::SlotNode> nodes, int64_t begin, int64_t end,
                             float scale) {
  constexpr int64_t kPiece = 2048;
  const std::span<float> all = mean_.as<float>();
  bool finite = true;
  for (int64_t first = begin; first < end; first += kPiece) {
    const int64_t last = std::min(first + kPiece, end);
    comm::finish_tree(nodes, first, last, all);
    const auto mean = all.subspan(static_cast<size_t>(first), static_cast<size_t>(last - first));
    multiply(mean.data(), mean.size(), scale);
    finite = all_finite(mean) && finite;
  }
  return finite;
}

bool ThreadUpdate::apply(int64_t iteration, std::span<const comm::SlotNode> nodes,
                         int64_t present) {
  set_scalars(iteration);
  const float scale = 1.0f / static_cast<float>(present);
  on_shards([&](Shard& shard) {
    // Clipping would make a finite step of an infinite gradient.
    shard.finite = take_mean(nodes, shard.begin, shard.end, scale) && shard.compute();
  });
  if (!std::ranges::all_of(shards_, [](const auto& shard) { return shard->finite; })) return false;
  on_shards([](Shard& shard) { shard.commit(); });
  ++state_.updates;
  return true;
}

void ThreadUpdate::hash_state(std::span<uint32_t> hashes) {
  std::ranges::fill(bit_sums_, LaneSums{});
  add_bit_sums(state_.theta.as<float>(), 0, parameter_ends_, bit_sums_);
  for (const io::NamedTensor& item : state_.optimizer) {
    add_bit_sums(item.value.as<float>(), 0, parameter_ends_, bit_sums_);
  }
  hash_each(bit_sums_, hashes);
}

size_t ThreadUpdate::planned_bytes(const config::Config& config, const optim::ThetaLayout& layout,
                                   int64_t threads, CallCompiler& compiler) {
  const TensorType vector{DType::f32, Shape{layout.elements}};
  size_t sum = vector.bytes() * (config.outer.weight_decay > 0 ? 2 : 1);  // mean, decay mask
  std::map<int64_t, size_t> known;                                        // by elements
  for (const auto& [begin, end] : ranges_of_threads(config.outer, layout.elements, threads)) {
    size_t& bytes = known[end - begin];
    if (bytes == 0) {
      const auto update = optim::make_outer_plan(config.outer, end - begin).update;
      const auto executable = compiler.compile(update);
      bytes = executable->lane_arena_bytes() + executable->shared_arena_bytes();
      for (const ProgramOutput& out : update->outputs) bytes += update->type(out.value).bytes();
    }
    sum += bytes;
  }
  return sum;
}

size_t ThreadUpdate::bytes() const {
  size_t sum = mean_.bytes() + (decay_mask_.empty() ? 0 : decay_mask_.bytes());
  for (const auto& shard : shards_) sum += shard->bytes();
  return sum;
}

}  // namespace outerloop::train
