#include "outerloop/interp/importance_bench.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "interp/importance_problem.h"
#include "outerloop/base/error.h"
#include "outerloop/base/stopwatch.h"
#include "outerloop/exec/bench_ops.h"
#include "outerloop/interp/task_summary.h"
#include "outerloop/ops/records.h"

namespace outerloop::interp {

namespace {

constexpr int kPasses = 7;  // over all cells; the median counts

// Numbers in [-1, 1] that look like noise.
std::vector<double> waves(size_t count, double scale) {
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) {
    const auto x = static_cast<double>(i);
    values[i] = scale * std::sin(x * x * 0.37);
  }
  return values;
}

ImportanceProblem standard_problem() {
  constexpr size_t kRows = 10'000, kWidths[] = {50, 64, 64, 1};
  ImportanceProblem problem;
  Mlp& mlp = problem.mlp.emplace();
  for (size_t l = 0; l + 1 < std::size(kWidths); ++l) {
    const size_t inputs = kWidths[l], outputs = kWidths[l + 1];
    mlp.layers.push_back({inputs, outputs, waves(inputs * outputs, 0.25), waves(outputs, 0.1)});
  }
  for (size_t c = 0; c < mlp.inputs(); ++c) problem.table.features.push_back(fmt::format("x{}", c));
  problem.table.x = waves(kRows * mlp.inputs(), 1);
  problem.table.targets = waves(kRows, 1);
  problem.groups = feature_groups(problem.table.features);
  problem.metrics = {metric_named("r2")};
  return problem;
}

double gemm_gflops(MlpPrecision precision) {
  constexpr double kSeconds = 0.1;
  const DType dtype = precision == MlpPrecision::float32 ? DType::f32 : DType::f64;
  const TensorType square{dtype, {256, 256}};
  const exec::OpSpeed speed = exec::measure_op(
      {.op = &ops::matmul,
       .sample = {.inputs = {square, square},
                  .attributes = {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{0}}}}},
      {}, kSeconds);
  return speed.flops / speed.seconds * 1e-9;
}

ImportanceBench bench_of(const ImportanceProblem& problem, const ImportanceSpec& settings,
                         MlpPrecision precision) {
  const size_t rows = exchange_of(settings, problem.table).rows.size();
  ImportanceBench bench{.isa = std::string(exec::name_of(exec::select_isa())),
                        .network = problem.mlp->shape(),
                        .precision = std::string(config::word(precision)),
                        .rows = rows,
                        .dense_flops_per_row = problem.mlp->dense_flops()};
  std::vector<double> seconds, cpu_seconds, peaks;
  for (int pass = 0; pass < kPasses; ++pass) {
    const Stopwatch watch;
    const double cpu_start = thread_seconds();
    const auto importance = permutation_importance(problem.scored_by(problem.model(precision)),
                                                   exchange_of(settings, problem.table));
    seconds.push_back(watch.seconds());
    cpu_seconds.push_back(thread_seconds() - cpu_start);
    bench.cells = importance.front().decreases.size();
    peaks.push_back(gemm_gflops(precision));
  }
  bench.seconds = quantile(seconds, 0.5);
  bench.cpu_seconds = quantile(cpu_seconds, 0.5);
  bench.cells_per_s = static_cast<double>(bench.cells) / bench.seconds;
  bench.rows_per_s = bench.cells_per_s * static_cast<double>(rows);
  bench.dense_gflops = bench.rows_per_s * bench.dense_flops_per_row * 1e-9;
  bench.gemm_gflops = quantile(peaks, 0.5);
  bench.fraction_of_gemm = bench.dense_gflops / bench.gemm_gflops;
  return bench;
}

}  // namespace

std::vector<ImportanceBench> bench_importance(const std::optional<ImportanceSpec>& spec) {
  if (spec && !spec->is_mlp()) {
    throw BadInput(
        fmt::format("bench importance: expected model: mlp, the config has {}", spec->model));
  }
  const ImportanceProblem problem = spec ? read_problem(*spec) : standard_problem();
  const ImportanceSpec settings = spec.value_or(ImportanceSpec{});
  return {bench_of(problem, settings, MlpPrecision::float32),
          bench_of(problem, settings, MlpPrecision::float64)};
}

std::string describe(std::span<const ImportanceBench> benches) {
  std::string text;
  for (const ImportanceBench& b : benches) {
    text += fmt::format(
        "{} in {}, {}, one thread: {} cells of {} rows in {:.4f} s (median of {}; of the "
        "processor's time {:.4f})\n"
        "{:.0f} cells/s, {:.3g} rows/s; as dense layers {:.0f} FLOP/row, {:.1f} GFLOP/s = {:.1f} % "
        "of matrix products ({:.0f} GFLOP/s)\n",
        b.network, b.precision, b.isa, b.cells, b.rows, b.seconds, kPasses, b.cpu_seconds,
        b.cells_per_s, b.rows_per_s, b.dense_flops_per_row, b.dense_gflops,
        100 * b.fraction_of_gemm, b.gemm_gflops);
  }
  return text;
}

std::string to_json_text(std::span<const ImportanceBench> benches) {
  nlohmann::ordered_json json;
  for (const ImportanceBench& b : benches) {
    json[b.precision] = {{"isa", b.isa},
                         {"network", b.network},
                         {"threads", 1},
                         {"rows", b.rows},
                         {"cells", b.cells},
                         {"passes", kPasses},
                         {"seconds", b.seconds},
                         {"cpu_seconds", b.cpu_seconds},
                         {"cells_per_s", b.cells_per_s},
                         {"rows_per_s", b.rows_per_s},
                         {"dense_flops_per_row", b.dense_flops_per_row},
                         {"dense_gflops", b.dense_gflops},
                         {"gemm_gflops", b.gemm_gflops},
                         {"fraction_of_gemm", b.fraction_of_gemm}};
  }
  return json.dump(2) + "\n";
}

}  // namespace outerloop::interp
