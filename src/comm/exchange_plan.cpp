#include "outerloop/comm/exchange_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::comm {
namespace {

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

Range part_of(const Range& whole, int64_t index, int64_t parts) {
  const auto cut = [&](int64_t i) {
    return i == parts ? whole.size() : whole.size() * i / parts / kLineElements * kLineElements;
  };
  return {whole.first + cut(index), whole.first + cut(index + 1)};
}

ExchangePlan::ExchangePlan(int rank, int ranks, std::span<const Range> groups)
    : rank_(rank), ranks_(ranks), groups_(groups.size()) {
  check_consecutive(groups, "elements");
  for (size_t g = 0; g < groups.size(); ++g) {
    Group& group = groups_[g];
    group.elements = groups[g];
    for (int r = 0; r < ranks; ++r) {
      const Range& shard = group.shards.emplace_back(part_of(groups[g], r, ranks));
      group.shard_sizes.push_back(shard.size());
      longest_shard_ = std::max(longest_shard_, shard.size());
    }
    group.offset = own_elements_;
    own_elements_ += own_shard(group).size();
  }
}

void ExchangePlan::deal(std::span<const Range> slots) {
  OL_ASSERT(slots.size() == static_cast<size_t>(ranks_), "a range of slots for each rank");
  check_consecutive(slots, "slots");
  roots_.clear();
  root_counts_.clear();
  others_ = 0;
  for (const Range& range : slots) {
    roots_.push_back(subtree_roots(range.first, range.end));
    root_counts_.push_back(static_cast<int64_t>(roots_.back().size()));
    others_ += roots_.back().size();
  }
  others_ -= own_count();
}

void ExchangePlan::check_own(std::span<const SlotNode> own) const {
  OL_ASSERT(std::ranges::equal(own, own_roots(),
                               [](const SlotNode& a, const SlotNode& b) {
                                 return a.level == b.level && a.index == b.index;
                               }),
            fmt::format("rank {} brings nodes of other slots than it was dealt", rank_));
}

Pending ExchangePlan::start_flags(Communicator& ranks, std::span<const SlotNode> own,
                                  std::span<uint8_t> present) const {
  int64_t first = 0;
  for (int r = 0; r < rank_; ++r) first += root_counts_[static_cast<size_t>(r)];
  const std::span<uint8_t> flags = present.subspan(static_cast<size_t>(first), own.size());
  std::ranges::transform(own, flags.begin(),
                         [](const SlotNode& node) { return static_cast<uint8_t>(node.present); });
  return ranks.start_all_gather_v("slots present", flags, present, root_counts_);
}

void ExchangePlan::list_pieces(const Group& group, std::span<const SlotNode> own,
                               const float* absent, std::span<float* const> received,
                               Pieces& pieces) const {
  pieces.sends.clear();
  pieces.receives.clear();
  for (int i = 1; i < ranks_; ++i) {
    const int to = (rank_ + i) % ranks_;
    const Range& shard = group.shards[static_cast<size_t>(to)];
    for (const SlotNode& node : own) {
      const float* data = node.present ? node.data + shard.first : absent;
      pieces.sends.push_back({to, {data, static_cast<size_t>(shard.size())}});
    }
  }
  auto buffer = received.begin();
  for (int r = 0; r < ranks_; ++r) {
    if (r == rank_) continue;
    for (size_t i = 0; i < roots_[static_cast<size_t>(r)].size(); ++i, ++buffer) {
      pieces.receives.push_back(
          {r, {*buffer + group.offset, static_cast<size_t>(own_shard(group).size())}});
    }
  }
}

void ExchangePlan::list_counts(std::span<const SlotNode> own, float* received,
                               Pieces& pieces) const {
  for (int i = 1; i < ranks_ && !own.empty(); ++i) {
    pieces.sends.push_back({(rank_ + i) % ranks_, {own.front().count, own.size()}});
  }
  for (int r = 0; r < ranks_; ++r) {
    const size_t roots = roots_[static_cast<size_t>(r)].size();
    if (r == rank_ || roots == 0) continue;
    pieces.receives.push_back({r, {received, roots}});
    received += roots;
  }
}

void ExchangePlan::list_counted_nodes(const Group& group, std::span<const SlotNode> own,
                                      std::span<float* const> received, const float* counts,
                                      std::vector<SlotNode>& nodes) const {
  auto buffer = received.begin();
  nodes.clear();
  for (int r = 0; r < ranks_; ++r) {
    for (size_t i = 0; i < roots_[static_cast<size_t>(r)].size(); ++i) {
      SlotNode node = roots_[static_cast<size_t>(r)][i];
      node.present = true;
      node.data = r == rank_ ? own[i].data + own_shard(group).first : *buffer++ + group.offset;
      node.count = r == rank_ ? own[i].count : counts++;
      nodes.push_back(node);
    }
  }
}

void ExchangePlan::list_nodes(const Group& group, std::span<const SlotNode> own,
                              std::span<const uint8_t> present, std::span<float* const> received,
                              std::vector<SlotNode>& nodes) const {
  auto buffer = received.begin();
  auto flag = present.begin();
  nodes.clear();
  for (int r = 0; r < ranks_; ++r) {
    const std::vector<SlotNode>& roots = roots_[static_cast<size_t>(r)];
    for (size_t i = 0; i < roots.size(); ++i, ++flag) {
      SlotNode node = roots[i];
      node.present = *flag != 0;
      if (r != rank_) {
        node.data = *buffer++ + group.offset;
      } else if (node.present) {
        node.data = own[i].data + own_shard(group).first;
      }
      nodes.push_back(node);
    }
  }
}

}  // namespace outerloop::comm
