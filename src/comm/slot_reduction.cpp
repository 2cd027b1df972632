#include "outerloop/comm/slot_reduction.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::comm {
namespace {

// One cache line: shards and threads' parts start on one where the group does.
constexpr int64_t kAlignment = static_cast<int64_t>(Tensor::kAlignment / sizeof(float));

Range part(const Range& whole, int64_t index, int64_t parts) {
  const auto cut = [&](int64_t i) {
    return i == parts ? whole.size() : whole.size() * i / parts / kAlignment * kAlignment;
  };
  return {whole.first + cut(index), whole.first + cut(index + 1)};
}

void check_consecutive(std::span<const Range> ranges, const char* what) {
  int64_t next = 0;
  for (const Range& range : ranges) {
    OL_ASSERT(range.first == next && range.end >= range.first,
              fmt::format("{} [{}, {}) after {}", what, range.first, range.end, next));
    next = range.end;
  }
  OL_ASSERT(next > 0, fmt::format("no {}", what));
}

}  // namespace

SlotReduction::SlotReduction(Communicator& ranks, ThreadPool& pool, std::span<const Range> groups)
    : ranks_(ranks), pool_(pool) {
  check_consecutive(groups, "elements");
  groups_.resize(groups.size());
  begun_.reserve(groups.size());
  int64_t longest = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    groups_[g].elements = groups[g];
    for (int r = 0; r < ranks.size(); ++r) {
      const Range& shard = groups_[g].shards.emplace_back(part(groups[g], r, ranks.size()));
      groups_[g].shard_sizes.push_back(shard.size());
      longest = std::max(longest, shard.size());
    }
  }
  absent_ = Tensor(DType::f32, Shape{longest});
}

const Range& SlotReduction::own_shard(const Group& group) const {
  return group.shards[static_cast<size_t>(ranks_.rank())];
}

void SlotReduction::deal(std::span<const Range> slots) {
  OL_ASSERT(slots.size() == static_cast<size_t>(ranks_.size()), "a range of slots for each rank");
  check_consecutive(slots, "slots");
  roots_.clear();
  root_counts_.clear();
  received_.clear();
  int64_t own_elements = 0;
  for (const Group& group : groups_) own_elements += own_shard(group).size();
  for (int r = 0; r < ranks_.size(); ++r) {
    const Range& range = slots[static_cast<size_t>(r)];
    roots_.push_back(subtree_roots(range.first, range.end));
    root_counts_.push_back(static_cast<int64_t>(roots_.back().size()));
    if (r == ranks_.rank()) continue;
    for (size_t i = 0; i < roots_.back().size(); ++i) {
      received_.emplace_back(DType::f32, Shape{own_elements});
    }
  }
  const size_t others = received_.size();
  for (Group& group : groups_) {
    OL_ASSERT(!group.begun, "slots are dealt while they are summed up");
    group.present.resize(others + roots_[static_cast<size_t>(ranks_.rank())].size());
  }
}

// Leaves this rank's roots in group.own.
void SlotReduction::merge(Group& group, std::span<const SlotNode> nodes) {
  group.own.assign(nodes.begin(), nodes.end());
  group.own.resize(merge_siblings(group.own, group.elements.first, group.elements.end));
  const std::vector<SlotNode>& expected = roots_[static_cast<size_t>(ranks_.rank())];
  OL_ASSERT(std::ranges::equal(group.own, expected,
                               [](const SlotNode& a, const SlotNode& b) {
                                 return a.level == b.level && a.index == b.index;
                               }),
            fmt::format("rank {} brings nodes of other slots than it was dealt", ranks_.rank()));
}

void SlotReduction::begin(size_t index, std::span<const SlotNode> nodes) {
  Group& group = groups_.at(index);
  OL_ASSERT(!roots_.empty() && !group.begun, fmt::format("group {} begins out of turn", index));
  group.begun = true;
  begun_.push_back(index);
  merge(group, nodes);
  exchange(group);
}

void SlotReduction::exchange(Group& group) {
  const auto rank = static_cast<size_t>(ranks_.rank());
  int64_t first_own = 0;
  for (size_t r = 0; r < rank; ++r) first_own += root_counts_[r];
  const std::span<uint8_t> flags =
      std::span(group.present).subspan(static_cast<size_t>(first_own), group.own.size());
  std::ranges::transform(group.own, flags.begin(),
                         [](const SlotNode& node) { return static_cast<uint8_t>(node.present); });
  group.flags =
      ranks_.start_all_gather_v("slots present", flags, std::span(group.present), root_counts_);

  sends_.clear();
  receives_.clear();
  const auto size = static_cast<size_t>(ranks_.size());
  for (size_t i = 1; i < size; ++i) {
    const size_t to = (rank + i) % size;
    const Range& shard = group.shards[to];
    for (const SlotNode& node : group.own) {
      const float* data = node.present ? node.data + shard.first : absent_.as<float>().data();
      sends_.push_back({static_cast<int>(to), {data, static_cast<size_t>(shard.size())}});
    }
  }
  const auto offset = static_cast<size_t>(own_offset(group));
  const auto count = static_cast<size_t>(own_shard(group).size());
  auto buffer = received_.begin();
  for (size_t r = 0; r < size; ++r) {
    if (r == rank) continue;
    for (size_t i = 0; i < roots_[r].size(); ++i, ++buffer) {
      receives_.push_back({static_cast<int>(r), buffer->as<float>().subspan(offset, count)});
    }
  }
  group.exchange = ranks_.start_exchange<float>("meta-gradient shards", sends_, receives_);
}

// Where the own shard of the group lies in a buffer that holds those of all groups.
int64_t SlotReduction::own_offset(const Group& group) const {
  int64_t offset = 0;
  for (const Group* g = groups_.data(); g != &group; ++g) offset += own_shard(*g).size();
  return offset;
}

void SlotReduction::poll() {
  for (Group& group : groups_) {
    group.flags.test();
    group.exchange.test();
  }
}

bool SlotReduction::finish(std::span<float> total) {
  OL_ASSERT(static_cast<int64_t>(total.size()) == groups_.back().elements.end,
            fmt::format("{} sums of {} elements", total.size(), groups_.back().elements.end));
  bool any = false;
  OL_ASSERT(begun_.size() == groups_.size(), "a sum is finished before all its groups began");
  for (const size_t index : begun_) {
    Group& group = groups_[index];
    group.flags.wait();
    group.exchange.wait();
    finish_shard(group, total);
    any = any || std::ranges::find(group.present, uint8_t{1}) != group.present.end();
    const auto in_total = [&](const Range& range) {
      return total.subspan(static_cast<size_t>(range.first), static_cast<size_t>(range.size()));
    };
    group.gather = ranks_.start_all_gather_v("meta-gradient", in_total(own_shard(group)),
                                             in_total(group.elements), group.shard_sizes);
  }
  for (Group& group : groups_) {
    group.gather.wait();
    group.begun = false;
  }
  begun_.clear();
  return any;
}

void SlotReduction::drop() {
  for (Group& group : groups_) {
    group.flags.wait();
    group.exchange.wait();
    group.begun = false;
  }
  begun_.clear();
}

void SlotReduction::finish_shard(const Group& group, std::span<float> total) {
  // Data count from the shard's first element.
  const Range& shard = own_shard(group);
  const int64_t offset = own_offset(group);
  auto buffer = received_.begin();
  auto present = group.present.begin();
  nodes_.clear();
  for (int r = 0; r < ranks_.size(); ++r) {
    const std::vector<SlotNode>& roots = roots_[static_cast<size_t>(r)];
    for (size_t i = 0; i < roots.size(); ++i, ++present) {
      SlotNode node = roots[i];
      node.present = *present != 0;
      if (r != ranks_.rank()) {
        node.data = (buffer++)->as<float>().data() + offset;
      } else if (node.present) {
        node.data = group.own[i].data + shard.first;
      }
      nodes_.push_back(node);
    }
  }
  const auto sums =
      total.subspan(static_cast<size_t>(shard.first), static_cast<size_t>(shard.size()));
  pool_.run([&](int thread) {
    const Range range = part({0, shard.size()}, thread, pool_.size());
    finish_tree(nodes_, range.first, range.end, sums);
  });
}

size_t SlotReduction::bytes() const {
  size_t sum = absent_.bytes();
  for (const Tensor& buffer : received_) sum += buffer.bytes();
  return sum;
}

}  // namespace outerloop::comm
