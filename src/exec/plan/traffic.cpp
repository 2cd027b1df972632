#include "exec/plan/traffic.h"

#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

constexpr int64_t kIndexBytes = sizeof(int32_t);

// Elements of a loop nest's operand: what does not move along an extent is the same there.
template <class Extents, class Strides>
int64_t elements(const Extents& extents, const Strides& strides) {
  int64_t count = 1;
  for (size_t d = 0; d < extents.size(); ++d) {
    if (strides[d] != 0 || extents[d] == 0) count *= extents[d];
  }
  return count;
}

int64_t bytes_of(DType dtype) {
  return static_cast<int64_t>(size_of(dtype));
}

void add_epilogue(const Epilogue& epilogue, const std::array<int64_t, 3>& extents, DType dtype,
                  std::vector<int64_t>& bytes) {
  for (const auto* list : {&epilogue.inputs, &epilogue.outputs}) {
    for (const TileStrides& strides : *list) {
      bytes.push_back(elements(extents, strides) * bytes_of(dtype));
    }
  }
}

struct Touched {
  std::vector<int64_t> operator()(const LoopSpec& s) const {
    std::vector<int64_t> bytes;
    for (const LoopStrides& input : s.inputs) {
      bytes.push_back(elements(s.extents, input) * bytes_of(s.dtype));
    }
    for (const LoopOutput& output : s.outputs) {
      bytes.push_back(elements(s.extents, output.strides) * bytes_of(s.dtype));
    }
    return bytes;
  }

  std::vector<int64_t> operator()(const MatmulSpec& s) const {
    const auto count = [&](int64_t rows, int64_t columns, const TileStrides& strides) {
      return elements(std::array{s.batch, rows, columns}, strides) * bytes_of(s.dtype);
    };
    std::vector<int64_t> bytes{count(s.m, s.k, {s.a_batch, s.a_row, s.a_k}),
                               count(s.k, s.n, {s.b_batch, s.b_k, 1})};
    add_epilogue(s.epilogue, {s.batch, s.m, s.n}, s.dtype, bytes);
    return bytes;
  }

  std::vector<int64_t> operator()(const ConvSpec& s) const {
    const ConvGeometry& g = s.geometry;
    const int64_t inputs = g.images * g.height * g.width;
    const int64_t outputs = g.images * g.out_height * g.out_width;
    const int64_t taps = g.kernel_height * g.kernel_width;
    const int64_t weights = taps * g.in_channels * g.out_channels;
    struct Sizes {
      int64_t first, second, rows, columns;
    };
    const auto sizes = [&]() -> Sizes {
      switch (s.direction) {
        case ConvDirection::forward:
          return {inputs * g.in_channels, weights, outputs, g.out_channels};
        case ConvDirection::input:
          return {outputs * g.out_channels, weights, inputs, g.in_channels};
        case ConvDirection::filter:
          break;
      }
      return {inputs * g.in_channels, outputs * g.out_channels, taps * g.in_channels,
              g.out_channels};
    }();
    std::vector<int64_t> bytes{sizes.first * bytes_of(s.dtype), sizes.second * bytes_of(s.dtype)};
    add_epilogue(s.epilogue, {1, sizes.rows, sizes.columns}, s.dtype, bytes);
    return bytes;
  }

  std::vector<int64_t> operator()(const MoveSpec& s) const {
    std::vector<int64_t> bytes;
    int64_t written = 0;
    for (const Move& move : s.moves) {
      bytes.push_back(elements(move.extents, move.source) * s.element_bytes);
      written += elements(move.extents, move.target);
    }
    bytes.push_back((s.fills ? s.target_elements : written) * s.element_bytes);
    return bytes;
  }

  std::vector<int64_t> operator()(const IndexSpec& s) const {
    const RowsSpec& r = s.rows;
    const int64_t each = bytes_of(r.dtype);
    const int64_t chosen = r.outer * r.count * r.inner * each;
    const int64_t all = r.outer * r.extent * r.inner * each;
    switch (s.kind) {
      case IndexKind::gather_rows:
      case IndexKind::take:
        return {chosen, r.count * kIndexBytes, chosen};
      case IndexKind::scatter_add_rows:
      case IndexKind::scatter_add:
        return {chosen, r.count * kIndexBytes, all};
      case IndexKind::take_per_row:
        return {r.outer * each, r.outer * kIndexBytes, r.outer * each};
      case IndexKind::put_per_row:
        return {r.outer * each, r.outer * kIndexBytes, all};
      case IndexKind::one_hot:
        break;
    }
    return {r.outer * kIndexBytes, all};
  }

  std::vector<int64_t> operator()(const MaxPoolSpec& s) const {
    return {s.images * s.height * s.width * s.channels * bytes_of(s.dtype),
            s.images * s.out_height() * s.out_width() * s.channels * kIndexBytes};
  }

  std::vector<int64_t> operator()(const PlainSpec& s) const {
    std::vector<int64_t> bytes;
    for (const TensorType& input : s.inputs) bytes.push_back(static_cast<int64_t>(input.bytes()));
    bytes.push_back(static_cast<int64_t>(s.output.bytes()));
    return bytes;
  }

  std::vector<int64_t> operator()(const CopySpec& s) const { return {s.bytes, s.bytes}; }
};

}  // namespace

std::vector<int64_t> touched_bytes(const StepSpec& spec) {
  return std::visit(Touched{}, spec);
}

int64_t traffic_of(const StepTable& table, bool with_arena) {
  int64_t sum = 0;
  for (size_t s = 0; s < table.specs.size(); ++s) {
    const auto first = static_cast<size_t>(table.first_operand[s]);
    const std::vector<int64_t> bytes = touched_bytes(table.specs[s]);
    OL_ASSERT(first + bytes.size() == static_cast<size_t>(table.first_operand[s + 1]),
              "a step has other operands than its spec says");
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (with_arena || table.operands[first + i].place != Place::lane_arena) sum += bytes[i];
    }
  }
  return sum;
}

}  // namespace outerloop::exec
