#include "passes/fusion_groups.h"

#include <algorithm>
#include <optional>
#include <queue>

#include "outerloop/base/error.h"
#include "outerloop/ops/records.h"
#include "outerloop/passes/access.h"

namespace outerloop::passes {
namespace {

// Larger groups would only spill registers.
constexpr size_t kMaxMembers = 48;
constexpr size_t kMaxOperands = 14;
// A search for a path between two groups that gets this far counts as one that found a path, so
// that long programs cost no more per equation than short ones.
constexpr size_t kMaxVisits = 1024;

enum class Role : uint8_t { none, constant, pointwise, broadcast, reduction, contraction };

std::span<const int64_t> reduction_axes(const Equation& equation) {
  return equation.attributes.integers("axes");
}

class Grouping {
 public:
  explicit Grouping(const Program& program)
      : program_(program),
        producer_(producers(program)),
        group_of_(program.equations.size(), -1),
        roles_(program.equations.size(), Role::none),
        users_(program.equations.size()) {
    for (size_t e = 0; e < program.equations.size(); ++e) {
      for (ValueId input : program.equations[e].inputs) {
        const int32_t made_by = producer(input);
        if (made_by >= 0) users_[static_cast<size_t>(made_by)].push_back(static_cast<int32_t>(e));
      }
    }
  }

  Fusion run() {
    for (size_t e = 0; e < program_.equations.size(); ++e) visit(static_cast<int32_t>(e));
    return ordered();
  }

 private:
  Role role_of(const Equation& equation) const {
    if (is_constant(equation)) return Role::constant;
    const TensorType& output = program_.type(equation.outputs.front());
    if (!is_floating(output.dtype)) return Role::none;
    switch (equation.op->group) {
      case OpGroup::elementwise:
        return Role::pointwise;
      case OpGroup::broadcast:
        return Role::broadcast;
      case OpGroup::contraction:
        return Role::contraction;
      case OpGroup::reduction: {
        const Shape& shape = program_.type(equation.inputs.front()).shape;
        return reduction_split(shape, reduction_axes(equation)) ? Role::reduction : Role::none;
      }
      default:
        return Role::none;
    }
  }

  FusionGroup single(int32_t e) const {
    const Equation& equation = program_.equations[static_cast<size_t>(e)];
    FusionGroup group{.members = {e}};
    const Role role = roles_[static_cast<size_t>(e)];
    const ValueId shaped =
        role == Role::reduction ? equation.inputs.front() : equation.outputs.front();
    group.shape = program_.type(shaped).shape;
    if (role == Role::contraction) group.head = e;
    if (role == Role::reduction) group.reduction = e;
    return group;
  }

  void visit(int32_t e) {
    const Equation& equation = program_.equations[static_cast<size_t>(e)];
    const Role role = role_of(equation);
    roles_[static_cast<size_t>(e)] = role;
    if (role == Role::constant) return;
    group_of_[static_cast<size_t>(e)] = static_cast<int32_t>(groups_.size());
    groups_.push_back(single(e));
    marks_.push_back(0);
    place_.push_back(static_cast<int32_t>(place_.size()));
    if (role == Role::pointwise || role == Role::reduction) {
      // The nearest producer first: its value is the one still in registers.
      std::vector<ValueId> inputs = equation.inputs;
      std::ranges::sort(inputs, std::greater<>());
      for (ValueId input : inputs) try_merge(e, producer(input));
    }
  }

  int32_t producer(ValueId value) const { return producer_[static_cast<size_t>(value.index)]; }
  int32_t group(int32_t e) const { return e < 0 ? -1 : group_of_[static_cast<size_t>(e)]; }

  void try_merge(int32_t consumer, int32_t producing) {
    const int32_t from = group(producing);
    const int32_t into = group(consumer);
    if (from < 0 || from == into) return;
    const Role role = roles_[static_cast<size_t>(producing)];
    if (role == Role::none || role == Role::reduction) return;
    if (!compatible(groups_[static_cast<size_t>(from)], groups_[static_cast<size_t>(into)])) return;
    merge_in_order(from, into);
  }

  bool compatible(const FusionGroup& a, const FusionGroup& b) const {
    if (!(a.shape == b.shape) || a.members.size() + b.members.size() > kMaxMembers) return false;
    const bool head = a.head >= 0 || b.head >= 0;
    const bool reduction = a.reduction >= 0 || b.reduction >= 0;
    if ((a.head >= 0 && b.head >= 0) || (head && reduction)) return false;
    if (dtype(a) != dtype(b)) return false;
    std::vector<int32_t> members = a.members;
    members.insert(members.end(), b.members.begin(), b.members.end());
    if (a.reduction >= 0 && b.reduction >= 0 &&
        !std::ranges::equal(reduction_axes(equation(a.reduction)),
                            reduction_axes(equation(b.reduction)))) {
      return false;
    }
    const int32_t last = a.reduction >= 0 ? a.reduction : b.reduction;
    return operands_fit(members, a.shape, a.head >= 0 ? a.head : b.head, last);
  }

  const Equation& equation(int32_t e) const { return program_.equations[static_cast<size_t>(e)]; }
  DType dtype(const FusionGroup& group) const {
    return program_.type(equation(group.members.front()).outputs.front()).dtype;
  }

  bool operands_fit(const std::vector<int32_t>& members, const Shape& shape, int32_t head,
                    int32_t reduction) const {
    const auto at = [&](int32_t e) { return e < 0 ? nullptr : &equation(e); };
    const std::vector<int> runs = loop_runs(shape, at(head), at(reduction));
    std::vector<ValueId> operands;
    for (int32_t member : members) {
      for (ValueId input : equation(member).inputs) {
        const int32_t made_by = producer(input);
        if (member == head) {
          // Its kernels read operands from memory, and constants become a part of the body.
          if (made_by >= 0 && roles_[static_cast<size_t>(made_by)] == Role::constant) return false;
          continue;
        }
        if (made_by >= 0 && (roles_[static_cast<size_t>(made_by)] == Role::constant ||
                             std::ranges::find(members, made_by) != members.end())) {
          continue;
        }
        const AccessStrides access =
            roles_[static_cast<size_t>(member)] == Role::broadcast
                ? broadcast_access(program_.type(input).shape,
                                   equation(member).attributes.integers("axes"))
                : dense_access(shape);
        if (!merged_strides(shape, access, runs)) return false;
        if (std::ranges::find(operands, input) == operands.end()) operands.push_back(input);
      }
    }
    return operands.size() <= kMaxOperands;
  }

  // Groups reached from `start` by walking inputs (or users) whose place in the order lies between
  // those of `from` and `into`, which are not walked through. Nothing when they are too many.
  template <class Neighbours>
  std::optional<std::vector<int32_t>> reached(int32_t start, int32_t from, int32_t into,
                                              Neighbours&& neighbours) {
    ++stamp_;
    std::vector<int32_t> found;
    const auto place = [&](int32_t g) { return place_[static_cast<size_t>(g)]; };
    const auto walk = [&](int32_t g) {
      ++visits_;
      neighbours(g, [&](int32_t next) {
        if (next < 0 || place(next) <= place(from) || place(next) >= place(into)) return;
        if (std::exchange(marks_[static_cast<size_t>(next)], stamp_) != stamp_) {
          found.push_back(next);
        }
      });
    };
    walk(start);
    for (size_t i = 0; i < found.size(); ++i) {
      if (found.size() > kMaxVisits) return std::nullopt;
      walk(found[i]);
    }
    return found;
  }

  template <class Visit>
  void for_each_source(int32_t g, Visit&& visit) const {
    for (int32_t member : groups_[static_cast<size_t>(g)].members) {
      for (ValueId input : equation(member).inputs) visit(group(producer(input)));
    }
  }

  // Whether `into` reads something of `from` that is only there when `from` has run: a finished
  // reduction, or an operand of its own head.
  bool must_follow(int32_t from, int32_t into) const {
    const FusionGroup& reader = groups_[static_cast<size_t>(into)];
    for (int32_t member : reader.members) {
      for (ValueId input : equation(member).inputs) {
        const int32_t e = producer(input);
        if (group(e) != from) continue;
        if (roles_[static_cast<size_t>(e)] == Role::reduction || member == reader.head) return true;
      }
    }
    return false;
  }

  // Merges the two groups unless a path between them leaves both: then none of the groups on it
  // could run. Groups have places in an order in which they can run (Pearce and Kelly, A dynamic
  // topological sort algorithm, 2006), so that only those between the two are looked at. The
  // groups that `into` needs move before the merged one, those that need `from` behind it.
  void merge_in_order(int32_t from, int32_t into) {
    if (must_follow(from, into)) return;
    auto before =
        reached(into, from, into, [&](int32_t g, auto&& visit) { for_each_source(g, visit); });
    if (!before) return;
    const bool leaves = std::ranges::any_of(*before, [&](int32_t g) {
      bool reads = false;
      for_each_source(g, [&](int32_t source) { reads = reads || source == from; });
      return reads;
    });
    if (leaves) return;
    auto after = reached(from, from, into, [&](int32_t g, auto&& visit) {
      for (int32_t member : groups_[static_cast<size_t>(g)].members) {
        for (int32_t user : users_[static_cast<size_t>(member)]) visit(group(user));
      }
    });
    if (!after) return;
    const auto place = [&](int32_t g) -> int32_t& { return place_[static_cast<size_t>(g)]; };
    std::vector<int32_t> places{place(from), place(into)};
    for (const auto& list : {*before, *after}) {
      for (int32_t g : list) places.push_back(place(g));
    }
    std::ranges::sort(places);
    std::ranges::sort(*before, {}, place);
    std::ranges::sort(*after, {}, place);
    merge(from, into);
    for (size_t i = 0; i < before->size(); ++i) place((*before)[i]) = places[i];
    place(into) = places[before->size()];
    for (size_t i = 0; i < after->size(); ++i) place((*after)[i]) = places[before->size() + 2 + i];
  }

  void merge(int32_t from, int32_t into) {
    FusionGroup& target = groups_[static_cast<size_t>(into)];
    FusionGroup& source = groups_[static_cast<size_t>(from)];
    for (int32_t member : source.members) group_of_[static_cast<size_t>(member)] = into;
    std::vector<int32_t> members;
    std::ranges::merge(target.members, source.members, std::back_inserter(members));
    target.members = std::move(members);
    target.head = std::max(target.head, source.head);
    if (target.reduction < 0) target.reduction = source.reduction;
    source.members.clear();
  }

  // Kahn's algorithm; among the ready groups the one whose last member came first in the program.
  Fusion ordered() const {
    std::vector<int32_t> missing(groups_.size(), 0);
    std::vector<std::vector<int32_t>> users(groups_.size());
    for (size_t g = 0; g < groups_.size(); ++g) {
      std::vector<int32_t> sources;
      for (int32_t member : groups_[g].members) {
        for (ValueId input : equation(member).inputs) {
          const int32_t source = group(producer(input));
          if (source >= 0 && source != static_cast<int32_t>(g)) sources.push_back(source);
        }
      }
      std::ranges::sort(sources);
      const auto repeated = std::ranges::unique(sources);
      sources.erase(repeated.begin(), repeated.end());
      missing[g] = static_cast<int32_t>(sources.size());
      for (int32_t source : sources) {
        users[static_cast<size_t>(source)].push_back(static_cast<int32_t>(g));
      }
    }
    using Entry = std::pair<int32_t, int32_t>;  // last member, group
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    const auto offer = [&](size_t g) {
      if (!groups_[g].members.empty() && missing[g] == 0) {
        ready.emplace(groups_[g].members.back(), static_cast<int32_t>(g));
      }
    };
    for (size_t g = 0; g < groups_.size(); ++g) offer(g);
    Fusion fusion{.visits = visits_};
    while (!ready.empty()) {
      const auto g = static_cast<size_t>(ready.top().second);
      ready.pop();
      fusion.groups.push_back(groups_[g]);
      for (int32_t user : users[g]) {
        --missing[static_cast<size_t>(user)];
        offer(static_cast<size_t>(user));
      }
    }
    const auto live =
        std::ranges::count_if(groups_, [](const auto& g) { return !g.members.empty(); });
    OL_ASSERT(static_cast<int64_t>(fusion.groups.size()) == live, "fusion made a cycle");
    return fusion;
  }

  const Program& program_;
  std::vector<int32_t> producer_;
  std::vector<int32_t> group_of_;
  std::vector<Role> roles_;
  std::vector<FusionGroup> groups_;
  std::vector<uint32_t> marks_;  // by group: the last search that saw it
  uint32_t stamp_ = 0;
  std::vector<std::vector<int32_t>> users_;  // by equation: those that read its result
  std::vector<int32_t> place_;               // by group: in an order in which they can run
  int64_t visits_ = 0;
};

}  // namespace

bool is_constant(const Equation& equation) {
  return equation.op->group == OpGroup::constant;
}

Fusion find_fusion_groups(const Program& program) {
  return Grouping(program).run();
}

}  // namespace outerloop::passes
