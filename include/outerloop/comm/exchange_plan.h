#pragma once
// Who sends what to whom when ranks sum up their slots: what slot_reduction.h says without the
// data, for the transports through host and device memory alike. Pointers are passed on, not read.

#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/comm/communicator.h"
#include "outerloop/comm/slot_tree.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::comm {

// [first, end)
struct Range {
  int64_t first = 0;
  int64_t end = 0;
  int64_t size() const { return end - first; }
  bool operator==(const Range&) const = default;
};

// Floats of a cache line.
constexpr auto kLineElements = static_cast<int64_t>(Tensor::kAlignment / sizeof(float));

// One of `parts` about equal parts. They start on a cache line where the whole does.
Range part_of(const Range& whole, int64_t index, int64_t parts);

class ExchangePlan {
 public:
  struct Group {
    Range elements;
    std::vector<Range> shards;         // by rank
    std::vector<int64_t> shard_sizes;  // of these
    int64_t offset = 0;  // of the own shard in a buffer that holds those of all groups
  };

  // `groups`: element ranges, rising and without gaps from 0.
  ExchangePlan(int rank, int ranks, std::span<const Range> groups);

  // One range of slots per rank, rising and without gaps from 0; some may be empty, not all.
  void deal(std::span<const Range> slots);
  bool dealt() const { return !roots_.empty(); }

  std::span<const Group> groups() const { return groups_; }
  int64_t elements() const { return groups_.back().elements.end; }
  const Range& own_shard(const Group& group) const {
    return group.shards[static_cast<size_t>(rank_)];
  }
  int64_t own_elements() const { return own_elements_; }    // own shards of all groups
  int64_t longest_shard() const { return longest_shard_; }  // of any rank
  size_t roots() const { return own_count() + others_; }    // of all ranks
  size_t others() const { return others_; }                 // without this one's

  // Throws InternalError unless these are this rank's roots.
  void check_own(std::span<const SlotNode> own) const;

  // Collective. `present`: of all roots, by rank.
  [[nodiscard]] Pending start_flags(Communicator& ranks, std::span<const SlotNode> own,
                                    std::span<uint8_t> present) const;

  struct Pieces {
    std::vector<Piece<const float>> sends;
    std::vector<Piece<float>> receives;
  };
  // The shards of the own roots for the others, and the own shard of theirs. `received`: a buffer
  // of own_elements() for each root of the others, by rank. `absent`: what goes where a root has no
  // data, longest_shard() elements; on devices all have.
  void list_pieces(const Group& group, std::span<const SlotNode> own, const float* absent,
                   std::span<float* const> received, Pieces& pieces) const;
  // Of nodes on devices: adds their counts to the pieces, which lie side by side. `received`: room
  // for those of the others, by rank.
  void list_counts(std::span<const SlotNode> own, float* received, Pieces& pieces) const;
  // As list_nodes, with the counts that came.
  void list_counted_nodes(const Group& group, std::span<const SlotNode> own,
                          std::span<float* const> received, const float* counts,
                          std::vector<SlotNode>& nodes) const;
  // The roots of all ranks by slot, their data counted from the own shard's first element.
  void list_nodes(const Group& group, std::span<const SlotNode> own,
                  std::span<const uint8_t> present, std::span<float* const> received,
                  std::vector<SlotNode>& nodes) const;

 private:
  size_t own_count() const { return roots_.empty() ? 0 : own_roots().size(); }
  const std::vector<SlotNode>& own_roots() const { return roots_[static_cast<size_t>(rank_)]; }

  int rank_;
  int ranks_;
  std::vector<Group> groups_;
  int64_t own_elements_ = 0;
  int64_t longest_shard_ = 0;
  std::vector<std::vector<SlotNode>> roots_;  // by rank, without data
  std::vector<int64_t> root_counts_;          // by rank
  size_t others_ = 0;
};

}  // namespace outerloop::comm
