#include "outerloop/comm/slot_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "outerloop/base/error.h"
#include "outerloop/base/vector_clones.h"

namespace outerloop::comm {
namespace {

// Elementwise, so every vector width gives the same bits.
OUTERLOOP_VECTOR_CLONES void add_to(float* __restrict target, const float* __restrict source,
                                    int64_t count) {
  for (int64_t i = 0; i < count; ++i) target[i] += source[i];
}

// What is summed up before a slot is the binary form of its number: one node per level.
constexpr size_t kMaxOpen = 64;

bool is_right_sibling(const SlotNode& left, const SlotNode& right) {
  return left.level == right.level && right.index % 2 == 1 && left.index + 1 == right.index;
}

// Merges the top of `depth` nodes with its left sibling below it for as long as there is one; where
// both are present, by add(left, right).
template <class Add>
void merge_top(SlotNode* stack, size_t& depth, Add add) {
  while (depth >= 2 && is_right_sibling(stack[depth - 2], stack[depth - 1])) {
    SlotNode& left = stack[depth - 2];
    const SlotNode& right = stack[depth - 1];
    if (left.present && right.present) {
      add(left, right);
    } else if (right.present) {
      left.data = right.data;
    }
    left = {left.level + 1, left.index / 2, left.present || right.present, left.data};
    --depth;
  }
}

auto adding(int64_t begin, int64_t end) {
  return [=](const SlotNode& left, const SlotNode& right) {
    add_to(left.data + begin, right.data + begin, end - begin);
  };
}

// Merges the nodes of a whole tree to its root; put(node) comes before the merges of each. Absent:
// there are none.
template <class Put, class Add>
SlotNode root_of(std::span<const SlotNode> nodes, Put put, Add add) {
  std::array<SlotNode, kMaxOpen> stack;
  size_t depth = 0;
  int64_t covered = 0;  // slots of the nodes so far
  for (const SlotNode& node : nodes) {
    OL_ASSERT(node.index << node.level == covered && depth < kMaxOpen,
              fmt::format("the nodes of a slot tree cover {} slots, the next one starts at {}",
                          covered, node.index << node.level));
    covered += int64_t{1} << node.level;
    stack[depth++] = node;
    put(node);
    merge_top(stack.data(), depth, add);
  }
  // What has no right sibling is its own parent.
  while (depth > 1) {
    SlotNode& top = stack[depth - 1];
    ++top.level;
    top.index /= 2;
    merge_top(stack.data(), depth, add);
  }
  return depth == 1 ? stack[0] : SlotNode{};
}

// The most roots of finished subtrees that are there after any of the slots. A slot that is left
// out makes no more of them.
size_t most_roots(int64_t first, int64_t end) {
  size_t most = 0;
  std::vector<SlotNode> roots;
  for (int64_t slot = first; slot < end; ++slot) {
    SlotNode node{0, slot};
    for (; !roots.empty() && is_right_sibling(roots.back(), node); roots.pop_back()) {
      node = {node.level + 1, node.index / 2};
    }
    roots.push_back(node);
    most = std::max(most, roots.size());
  }
  return most;
}

}  // namespace

SlotAccumulator::SlotAccumulator(int64_t elements, int64_t first, int64_t end)
    : elements_(elements) {
  const size_t most = most_roots(first, end);
  for (size_t i = 0; i < most; ++i) buffers_.emplace_back(DType::f32, Shape{elements});
  free_.reserve(most);
  nodes_.reserve(most);
  merged_.reserve(kMaxOpen);
  clear();
}

size_t SlotAccumulator::bytes() const {
  return buffers_.size() * static_cast<size_t>(elements_) * sizeof(float);
}

size_t SlotAccumulator::bytes(int64_t elements, int64_t first, int64_t end) {
  return most_roots(first, end) * static_cast<size_t>(elements) * sizeof(float);
}

void SlotAccumulator::clear() {
  nodes_.clear();
  free_.clear();
  for (Tensor& buffer : buffers_) free_.push_back(buffer.as<float>().data());
}

float* SlotAccumulator::take_buffer() {
  OL_ASSERT(!free_.empty(), "a worker got more slots than it was made for");
  float* buffer = free_.back();
  free_.pop_back();
  return buffer;
}

void SlotAccumulator::add(int64_t slot, std::span<const float> leaf) {
  open(slot);
  add_range(leaf, 0, elements_);
}

void SlotAccumulator::open(int64_t slot) {
  merged_.clear();
  SlotNode node{0, slot, true, nullptr};
  for (; !nodes_.empty() && is_right_sibling(nodes_.back(), node); nodes_.pop_back()) {
    const SlotNode& left = nodes_.back();
    if (left.present) merged_.push_back(left.data);
    node = {node.level + 1, node.index / 2, true, nullptr};
  }
  node.data = merged_.empty() ? take_buffer() : merged_.back();
  for (size_t i = 0; i + 1 < merged_.size(); ++i) free_.push_back(merged_[i]);
  nodes_.push_back(node);
}

void SlotAccumulator::add_range(std::span<const float> leaf, int64_t begin, int64_t end) {
  const float* sum = leaf.data();
  for (float* left : merged_) {
    add_to(left + begin, sum + begin, end - begin);
    sum = left;
  }
  if (!merged_.empty()) return;
  std::copy(sum + begin, sum + end, nodes_.back().data + begin);
}

void SlotAccumulator::skip(int64_t slot) {
  SlotNode node{0, slot, false, nullptr};
  for (; !nodes_.empty() && is_right_sibling(nodes_.back(), node); nodes_.pop_back()) {
    const SlotNode& left = nodes_.back();
    if (left.present && node.present) {
      add_to(left.data, node.data, elements_);
      free_.push_back(node.data);
    }
    if (left.present) node.data = left.data;
    node = {node.level + 1, node.index / 2, left.present || node.present, node.data};
  }
  nodes_.push_back(node);
}

size_t merge_siblings(std::span<SlotNode> nodes, int64_t begin, int64_t end) {
  size_t depth = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    nodes[depth++] = nodes[i];
    merge_top(nodes.data(), depth, adding(begin, end));
  }
  return depth;
}

std::vector<SlotNode> subtree_roots(int64_t first, int64_t end) {
  std::vector<SlotNode> roots;
  for (int64_t slot = first; slot < end; ++slot) roots.push_back({0, slot});
  roots.resize(merge_siblings(roots, 0, 0));
  return roots;
}

void add_nodes(std::span<const SlotNode> nodes, int64_t begin, int64_t end,
               std::span<float> total) {
  for (const SlotNode& node : nodes) {
    if (node.present) add_to(total.data() + begin, node.data + begin, end - begin);
  }
}

bool finish_tree(std::span<const SlotNode> nodes, int64_t begin, int64_t end,
                 std::span<float> total) {
  const SlotNode root = root_of(
      nodes, [](const SlotNode&) {}, adding(begin, end));
  const auto target = total.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  if (root.present) {
    std::memcpy(target.data(), root.data + begin, target.size_bytes());
  } else {
    std::ranges::fill(target, 0.0f);
  }
  return root.present;
}

void list_steps(std::span<const SlotNode> nodes, std::vector<SumStep>& steps) {
  steps.clear();
  root_of(
      nodes,
      [&steps](const SlotNode& node) {
        if (node.present) steps.push_back({node.data, node.count, 0});
      },
      [&steps](const SlotNode&, const SlotNode&) { ++steps.back().additions; });
}

}  // namespace outerloop::comm
