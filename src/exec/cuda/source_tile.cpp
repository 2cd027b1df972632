// Matrix products and convolutions: a problem of exec/cuda/device/tile.h with its epilogue.

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {
namespace {

// The tiles that there are: rows and columns of a block, steps of a chunk, rows and columns of a
// thread.
struct TileShape {
  int64_t m, n, k, thread_m, thread_n;
  int64_t threads() const { return m / thread_m * (n / thread_n); }
};
constexpr TileShape kTiles[] = {
    {64, 64, 16, 4, 4},
    {128, 32, 16, 8, 2},
    {64, 32, 16, 4, 4},
    {32, 64, 16, 4, 4},
    {32, 32, 16, 4, 2},
    {64, 16, 16, 4, 2},
    {16, 64, 16, 2, 4},
    {16, 32, 16, 2, 2},
    {16, 16, 16, 2, 2},
    {32, 16, 16, 4, 2},
    {64, 8, 16, 4, 1},
    {16, 8, 8, 2, 2},
    // For teams of kTeamThreads, whatever the shape.
    {32, 32, 16, 2, 2},
    {16, 32, 16, 2, 1},
    {16, 64, 16, 2, 2},
    {64, 16, 16, 4, 1},
    {16, 16, 16, 1, 1},
};

// The one whose multiplications and loads from shared memory, padding included, cost least.
TileShape choose_tile(int64_t rows, int64_t columns, const Team& team) {
  const auto cost = [&](const TileShape& tile) {
    if (team.threads > 0 && tile.threads() != team.threads) {
      return std::numeric_limits<double>::infinity();
    }
    const auto padded = static_cast<double>(blocks_for(rows, tile.m) * tile.m *
                                            blocks_for(columns, tile.n) * tile.n);
    const double loads =
        1.0 / static_cast<double>(tile.thread_m) + 1.0 / static_cast<double>(tile.thread_n);
    return padded * (1 + loads);
  };
  return *std::ranges::min_element(kTiles, {}, cost);
}

constexpr int64_t kStateBytes = 8;  // of a step, at most

// What the two families say about themselves.
struct Problem {
  DType dtype = DType::f32;
  int64_t batch = 1, m = 0, n = 0, k = 0;
  int64_t a_elements = 0;  // of one batch: a convolution's windows overlap
  int64_t a_batch = 0, b_batch = 0, b_k = 0;
  std::string parts;  // structs that come before
  std::string base;   // of the problem: states
  std::string state = "unsigned";
  std::string a_offsets;  // functions a_row and a_k, where the base has none
  bool skips = false;
  int64_t unit = 0;      // steps of one tap side by side
  int64_t row_unit = 0;  // rows of one tap side by side
};

std::string constant(std::string_view name, int64_t value) {
  return fmt::format("static constexpr int {} = {};\n", name, value);
}
std::string flag(std::string_view name, bool value) {
  return fmt::format("static constexpr bool {} = {};\n", name, value);
}

std::string tile_offset(const TileStrides& strides) {
  std::string text = fmt::format("batch * {}U", strides[0]);
  if (strides[1] != 0) text += fmt::format(" + row * {}U", strides[1]);
  if (strides[2] != 0) text += fmt::format(" + column * {}U", strides[2]);
  return text;
}

std::string store_function(const Problem& problem, const Epilogue& epilogue) {
  const std::string_view type = type_name(problem.dtype);
  std::vector<std::string> inputs{"value"};
  for (size_t i = 0; i < epilogue.inputs.size(); ++i) {
    inputs.push_back(
        fmt::format("p->get<{}>({})[{}]", type, i + 2, tile_offset(epilogue.inputs[i])));
  }
  const BodyText body = print_body(epilogue.body, problem.dtype, inputs);
  std::string text =
      fmt::format("OL_DEVICE void store(unsigned row, unsigned column, {} value) const {{\n{}",
                  type, body.lines);
  for (size_t i = 0; i < epilogue.outputs.size(); ++i) {
    text += fmt::format("p->get<{}>({})[{}] = {};\n", type, 2 + epilogue.inputs.size() + i,
                        tile_offset(epilogue.outputs[i]), body.outputs[i]);
  }
  return text + "}\n";
}

KernelCode tile_kernel(const Problem& problem, const Epilogue& epilogue, const Team& team) {
  KernelCode code;
  code.operands = static_cast<int>(2 + epilogue.inputs.size() + epilogue.outputs.size());
  const int64_t largest = std::max(
      {problem.m * problem.n, problem.k * problem.n, problem.m, problem.k, problem.a_elements});
  if (largest >= int64_t{1} << 31) {
    throw BadInput(
        fmt::format("a product or convolution has an operand of {} elements: GPU kernels take less "
                    "than 2^31; give fewer images or rows at a time, or use the CPU",
                    largest));
  }
  const TileShape tile = choose_tile(problem.m, problem.n, team);
  const int64_t columns = blocks_for(problem.n, tile.n);
  const int64_t per_batch = blocks_for(problem.m, tile.m) * columns;
  code.threads = static_cast<int>(tile.threads());
  code.blocks = problem.batch * per_batch;

  const std::string_view type = type_name(problem.dtype);
  std::string text = problem.parts;
  text += fmt::format("struct Problem : {} {{\nusing T = {};\nusing State = {};\n", problem.base,
                      type, problem.state);
  text += constant("kM", problem.m) + constant("kN", problem.n) + constant("kK", problem.k);
  text += constant("kBlockM", tile.m) + constant("kBlockN", tile.n) + constant("kBlockK", tile.k);
  text += constant("kThreadM", tile.thread_m) + constant("kThreadN", tile.thread_n);
  text += flag("kSkips", problem.skips);
  text += flag("kSkipsByTap", problem.unit > 0 && problem.unit % tile.k == 0);
  text += flag("kSkipsByThread", problem.row_unit > 0 && problem.row_unit % tile.thread_m == 0);
  text += problem.a_offsets;
  text += fmt::format("static OL_DEVICE int b_k(unsigned k) {{ return k * {}U; }}\n", problem.b_k);
  text += fmt::format("const T* a;\nconst T* b;\nunsigned batch;\nconst ol::Pointers<{}>* p;\n",
                      code.operands);
  text += store_function(problem, epilogue) + "};\n";
  const auto element = static_cast<int64_t>(size_of(problem.dtype));
  code.scratch_bytes = tile.k * ((tile.m + 1 + tile.n) * element + kStateBytes) + kStateBytes;
  text += fmt::format("static_assert(sizeof(ol::TileMemory<Problem>) <= {}, \"scratch\");\n",
                      code.scratch_bytes);
  text += run_head(code.operands);
  text += fmt::format(
      "const unsigned batch = block / {0}U, inner = block % {0}U;\n"
      "Problem problem;\n"
      "problem.a = p.get<{1}>(0) + batch * {2}U;\n"
      "problem.b = p.get<{1}>(1) + batch * {3}U;\n"
      "problem.batch = batch;\nproblem.p = &p;\n"
      "ol::tile(problem, inner / {4}U, inner % {4}U, scratch);\n}}\n",
      std::max<int64_t>(per_batch, 1), type, problem.a_batch, problem.b_batch,
      std::max<int64_t>(columns, 1));
  code.run = std::move(text);
  return code;
}

std::string geometry_struct(const ConvGeometry& g) {
  return "struct Geometry {\n" + constant("kHeight", g.height) + constant("kWidth", g.width) +
         constant("kIn", g.in_channels) + constant("kOutHeight", g.out_height) +
         constant("kOutWidth", g.out_width) + constant("kOut", g.out_channels) +
         constant("kKernelHeight", g.kernel_height) + constant("kKernelWidth", g.kernel_width) +
         constant("kStride", g.stride) + constant("kTop", g.pad_top) +
         constant("kLeft", g.pad_left) + "};\n";
}

}  // namespace

KernelCode matmul_kernel(const MatmulSpec& spec, const Team& team) {
  return tile_kernel(
      {.dtype = spec.dtype,
       .batch = spec.batch,
       .m = spec.m,
       .n = spec.n,
       .k = spec.k,
       .a_elements = spec.m * spec.k,
       .a_batch = spec.a_batch,
       .b_batch = spec.b_batch,
       .b_k = spec.b_k,
       .base = "ol::EveryStep",
       .a_offsets = fmt::format("static OL_DEVICE int a_row(unsigned row) {{ return row * {}U; }}\n"
                                "static OL_DEVICE int a_k(unsigned k) {{ return k * {}U; }}\n",
                                spec.a_row, spec.a_k)},
      spec.epilogue, team);
}

KernelCode conv_kernel(const ConvSpec& spec, const Team& team) {
  const ConvGeometry& g = spec.geometry;
  const int64_t taps = g.kernel_height * g.kernel_width;
  if (taps > 64) {
    throw BadInput(fmt::format(
        "a convolution of {} x {} taps: GPU kernels take up to 64; use the CPU or a smaller kernel",
        g.kernel_height, g.kernel_width));
  }
  Problem problem{.dtype = spec.dtype, .skips = true};
  problem.parts = geometry_struct(g);
  problem.state = taps <= 32 ? "unsigned" : "unsigned long long";
  const int64_t out_pixels = g.images * g.out_height * g.out_width;
  const int64_t in_pixels = g.images * g.height * g.width;
  problem.a_elements = spec.direction == ConvDirection::input ? out_pixels * g.out_channels
                                                              : in_pixels * g.in_channels;
  std::string_view direction;
  switch (spec.direction) {
    case ConvDirection::forward:
      direction = "ConvForward";
      problem.m = out_pixels, problem.n = g.out_channels, problem.k = taps * g.in_channels;
      problem.unit = g.in_channels;
      break;
    case ConvDirection::input:
      direction = "ConvInput";
      problem.m = in_pixels, problem.n = g.in_channels;
      problem.k = taps * g.out_channels;
      problem.unit = g.out_channels;
      break;
    case ConvDirection::filter:
      direction = "ConvFilter";
      problem.m = taps * g.in_channels, problem.n = g.out_channels, problem.k = out_pixels;
      problem.row_unit = g.in_channels;
      break;
  }
  problem.b_k = problem.n;
  problem.base = fmt::format("ol::{}<Geometry, {}>", direction, problem.state);
  return tile_kernel(problem, spec.epilogue, team);
}

}  // namespace outerloop::exec::cuda
