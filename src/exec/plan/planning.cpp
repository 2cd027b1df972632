// From kernel calls to memory: which steps run once for all lanes, where each buffer lives.

#include <algorithm>
#include <functional>
#include <iterator>
#include <numeric>
#include <span>

#include "exec/plan/program_plan.h"
#include "exec/plan/steps.h"
#include "outerloop/passes/memory_plan.h"

namespace outerloop::exec {
namespace {

class Planner {
 public:
  Planner(Program optimised, const PlanOptions& options)
      : options_(options), lowered_(lower(optimised)) {
    plan_.optimised = std::move(optimised);
    locations_.resize(lowered_.buffer_bytes.size());
    memory_.resize(lowered_.buffer_bytes.size());
    for (size_t b = 0; b < memory_.size(); ++b) memory_[b] = static_cast<int32_t>(b);
  }

  ProgramPlan run() {
    place_inputs();
    find_shared_equations();
    claim_outputs();
    for (const bool shared : {true, false}) {
      std::vector<int32_t> steps = steps_of(shared);
      share_memory_in_place(steps, shared);
      assign_arena(steps, shared);
    }
    emit();
    count_flops();
    return std::move(plan_);
  }

 private:
  const Program& program() const { return plan_.optimised; }
  int32_t root(BufferId buffer) const {
    return lowered_.root[static_cast<size_t>(buffer.index)].index;
  }
  int32_t root(ValueId value) const { return root(BufferId{value.index}); }
  Location& location(int32_t root_index) { return locations_[static_cast<size_t>(root_index)]; }

  void place_inputs() {
    for (size_t i = 0; i < program().inputs.size(); ++i) {
      location(program().inputs[i].value.index) = {Place::input, static_cast<int64_t>(i)};
    }
  }

  // An equation is shared when all it reads is.
  void find_shared_equations() {
    shared_value_.resize(program().values.size());
    for (const ProgramInput& input : program().inputs) {
      shared_value_[static_cast<size_t>(input.value.index)] =
          options_.shares && input.binding == Binding::shared;
    }
    for (const Equation& equation : program().equations) {
      const auto is_shared = [&](ValueId v) { return shared_value_[static_cast<size_t>(v.index)]; };
      const bool shared = options_.shares && std::ranges::all_of(equation.inputs, is_shared);
      shared_equation_.push_back(shared);
      for (ValueId v : equation.outputs) shared_value_[static_cast<size_t>(v.index)] = shared;
    }
  }

  // The first output of a value that is computed per lane is written in its place; others are
  // copied at the end: outputs are per lane, and a shared value is computed once for all.
  void claim_outputs() {
    for (size_t o = 0; o < program().outputs.size(); ++o) {
      const ValueId value = program().outputs[o].value;
      Location& place = location(root(value));
      if (place.place == Place::unused && !shared_value_[static_cast<size_t>(value.index)]) {
        place = {Place::output, static_cast<int64_t>(o)};
      } else {
        copies_.push_back({root(value), static_cast<int64_t>(o),
                           static_cast<int64_t>(program().type(value).bytes())});
      }
    }
  }

  std::vector<int32_t> steps_of(bool shared) const {
    std::vector<int32_t> steps;
    for (size_t s = 0; s < lowered_.steps.size(); ++s) {
      if (shared_equation_[static_cast<size_t>(lowered_.steps[s].equation)] == shared) {
        steps.push_back(static_cast<int32_t>(s));
      }
    }
    return steps;
  }

  int32_t memory_of(int32_t root_index) const {
    while (memory_[static_cast<size_t>(root_index)] != root_index) {
      root_index = memory_[static_cast<size_t>(root_index)];
    }
    return root_index;
  }

  // The position of the last step that reads each root; results of shared steps live on.
  std::vector<int32_t> last_reads(const std::vector<int32_t>& steps, bool shared) const {
    std::vector<int32_t> last(lowered_.buffer_bytes.size(), -1);
    for (size_t p = 0; p < steps.size(); ++p) {
      for (BufferId read : step(steps[p]).reads) {
        last[static_cast<size_t>(root(read))] = static_cast<int32_t>(p);
      }
    }
    const auto forever = static_cast<int32_t>(steps.size());
    for (const Copy& copy : copies_) last[static_cast<size_t>(copy.source)] = forever;
    if (!shared) return last;
    for (const Step& other : lowered_.steps) {
      if (shared_equation_[static_cast<size_t>(other.equation)]) continue;
      for (BufferId read : other.reads) last[static_cast<size_t>(root(read))] = forever;
    }
    return last;
  }

  const Step& step(int32_t s) const { return lowered_.steps[static_cast<size_t>(s)]; }

  void share_memory_in_place(const std::vector<int32_t>& steps, bool shared) {
    const std::vector<int32_t> last = last_reads(steps, shared);
    std::vector<bool> ours(lowered_.buffer_bytes.size(), false);
    for (size_t p = 0; p < steps.size(); ++p) {
      const Step& current = step(steps[p]);
      std::vector<int32_t> taken;  // by another result of this step
      for (size_t w = 0; w < current.writes.size(); ++w) {
        const int32_t written = root(current.writes[w]);
        const auto fits = [&](int32_t candidate) {
          const int32_t read = root(current.reads[static_cast<size_t>(candidate)]);
          const bool dies = last[static_cast<size_t>(read)] == static_cast<int32_t>(p);
          return dies && ours[static_cast<size_t>(read)] && location(read).place == Place::unused &&
                 std::ranges::find(taken, read) == taken.end() &&
                 lowered_.buffer_bytes[static_cast<size_t>(read)] ==
                     lowered_.buffer_bytes[static_cast<size_t>(written)];
        };
        ours[static_cast<size_t>(written)] = true;
        if (location(written).place != Place::unused) continue;
        const auto found = std::ranges::find_if(current.in_place[w], fits);
        if (found == current.in_place[w].end()) continue;
        taken.push_back(root(current.reads[static_cast<size_t>(*found)]));
        memory_[static_cast<size_t>(written)] = memory_of(taken.back());
      }
    }
  }

  void assign_arena(const std::vector<int32_t>& steps, bool shared) {
    const std::vector<int32_t> last = last_reads(steps, shared);
    std::vector<int32_t> slot(lowered_.buffer_bytes.size(), -1);  // by memory
    std::vector<passes::Lifetime> lifetimes;
    std::vector<int32_t> written_roots;
    for (size_t p = 0; p < steps.size(); ++p) {
      for (BufferId write : step(steps[p]).writes) {
        const int32_t written = root(write);
        if (location(written).place != Place::unused) continue;
        written_roots.push_back(written);
        int32_t& index = slot[static_cast<size_t>(memory_of(written))];
        if (index < 0) {
          index = static_cast<int32_t>(lifetimes.size());
          lifetimes.push_back({lowered_.buffer_bytes[static_cast<size_t>(written)],
                               static_cast<int32_t>(p), static_cast<int32_t>(p)});
        }
        passes::Lifetime& life = lifetimes[static_cast<size_t>(index)];
        life.last =
            std::max({life.last, static_cast<int32_t>(p), last[static_cast<size_t>(written)]});
      }
    }
    const std::vector<Location> places =
        shared ? places_in(Place::shared_arena, passes::plan_memory(lifetimes),
                           plan_.shared_arena_bytes)
               : places_of_lane(lifetimes);
    for (int32_t written : written_roots) {
      const int32_t index = slot[static_cast<size_t>(memory_of(written))];
      location(written) = places[static_cast<size_t>(index)];
    }
  }

  static std::vector<Location> places_in(Place place, const passes::MemoryPlan& plan,
                                         int64_t& bytes) {
    bytes = plan.arena_bytes;
    std::vector<Location> places;
    for (int64_t offset : plan.offsets) places.push_back({place, offset});
    return places;
  }

  std::vector<Location> places_of_lane(const std::vector<passes::Lifetime>& lifetimes) {
    const passes::MemoryPlan plan = passes::plan_memory(lifetimes);
    plan_.peak_live_bytes = plan.peak_live_bytes;
    if (plan.arena_bytes > options_.most_arena_bytes) return places_in_two(lifetimes);
    return places_in(Place::lane_arena, plan, plan_.lane_arena_bytes);
  }

  std::vector<Location> places_in_two(const std::vector<passes::Lifetime>& lifetimes) {
    std::vector<size_t> order(lifetimes.size());  // the longest lives first
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, std::greater<>(),
                             [&](size_t i) { return lifetimes[i].last - lifetimes[i].first; });
    std::vector<passes::Lifetime> sorted;
    for (size_t i : order) sorted.push_back(lifetimes[i]);
    const std::span<const passes::Lifetime> all(sorted);
    size_t few = 0, enough = all.size();  // of them go to the overflow
    while (few < enough) {
      const size_t middle = (few + enough) / 2;
      const bool fits =
          passes::plan_memory(all.subspan(middle)).arena_bytes <= options_.most_arena_bytes;
      fits ? enough = middle : few = middle + 1;
    }
    std::vector<Location> by_order = places_in(
        Place::lane_overflow, passes::plan_memory(all.first(enough)), plan_.lane_overflow_bytes);
    std::ranges::copy(places_in(Place::lane_arena, passes::plan_memory(all.subspan(enough)),
                                plan_.lane_arena_bytes),
                      std::back_inserter(by_order));
    std::vector<Location> places(lifetimes.size());
    for (size_t i = 0; i < order.size(); ++i) places[order[i]] = by_order[i];
    return places;
  }

  static void append(StepTable& table, StepSpec spec, const std::vector<Location>& operands,
                     int32_t equation) {
    table.specs.push_back(std::move(spec));
    table.operands.insert(table.operands.end(), operands.begin(), operands.end());
    table.first_operand.push_back(static_cast<int32_t>(table.operands.size()));
    table.equation.push_back(equation);
  }

  void emit() {
    for (Step& current : lowered_.steps) {
      std::vector<Location> operands;
      for (BufferId read : current.reads) operands.push_back(location(root(read)));
      for (BufferId write : current.writes) operands.push_back(location(root(write)));
      const bool shared = shared_equation_[static_cast<size_t>(current.equation)];
      append(shared ? plan_.shared : plan_.lane, std::move(current.spec), operands,
             current.equation);
    }
    for (const Copy& copy : copies_) {
      append(plan_.lane, CopySpec{copy.bytes},
             {location(copy.source), {Place::output, copy.output}}, -1);
    }
  }

  void count_flops() {
    for (size_t e = 0; e < program().equations.size(); ++e) {
      Flops& flops = shared_equation_[e] ? plan_.shared_flops : plan_.lane_flops;
      flops.all += flops_of(program(), program().equations[e]);
      flops.dense += dense_flops_of(program(), program().equations[e]);
    }
  }

  struct Copy {
    int32_t source = -1;  // root
    int64_t output = 0;
    int64_t bytes = 0;
  };

  PlanOptions options_;
  ProgramPlan plan_;
  Lowered lowered_;
  std::vector<Location> locations_;  // by root
  std::vector<int32_t> memory_;      // by root: whose memory it takes
  std::vector<bool> shared_value_;
  std::vector<bool> shared_equation_;
  std::vector<Copy> copies_;
};

}  // namespace

ProgramPlan plan_program(Program optimised, const PlanOptions& options) {
  return Planner(std::move(optimised), options).run();
}

}  // namespace outerloop::exec
