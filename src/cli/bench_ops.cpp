// outerloop bench ops: the speed of each op, alone, at the sizes of the models.

#include "cli/bench_ops.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "outerloop/base/error.h"
#include "outerloop/exec/bench_ops.h"
#include "outerloop/exec/fma_peak.h"
#include "outerloop/ops/records.h"

namespace outerloop::cli {
namespace {

struct BenchOpsArguments {
  std::string op;
  double seconds = 0.05;
  bool json = false;
};

struct Rates {
  double gflops, gbytes, fraction;
};

Rates rates_of(const exec::OpSpeed& speed, double peak) {
  const double gflops = speed.flops / speed.seconds * 1e-9;
  return {gflops, speed.bytes / speed.seconds * 1e-9, peak > 0 ? gflops / peak : 0};
}

std::string line(const exec::OpSpeed& speed, double peak) {
  const Rates rates = rates_of(speed, peak);
  return fmt::format("{:<17} {:10.3f} {:8.2f} {:7.1f} {:6.1f} %  {}\n", speed.op,
                     speed.seconds * 1e6, rates.gflops, rates.gbytes, 100 * rates.fraction,
                     speed.shapes);
}

nlohmann::ordered_json to_json(const exec::OpSpeed& speed, double peak) {
  const Rates rates = rates_of(speed, peak);
  return {{"op", speed.op},
          {"shapes", speed.shapes},
          {"us", speed.seconds * 1e6},
          {"flops", speed.flops},
          {"bytes", speed.bytes},
          {"gflops", rates.gflops},
          {"gbytes_per_s", rates.gbytes},
          {"fraction_of_peak", rates.fraction}};
}

int bench_ops(const BenchOpsArguments& options) {
  if (!options.op.empty() && find_op(options.op) == nullptr) {
    throw BadInput(
        fmt::format("--op {}: no op of that name; without --op all are shown", options.op));
  }
  const exec::CompileOptions compile;
  const double peak =
      compile.isa == exec::Isa::scalar ? 0 : exec::measure_fma_peak(compile.isa, DType::f32);
  nlohmann::ordered_json json{{"isa", exec::name_of(compile.isa)},
                              {"fma_peak_gflops", peak},
                              {"ops", nlohmann::ordered_json::array()}};
  if (!options.json) {
    fmt::print("{}, one thread, FMA peak {:.0f} GFLOP/s\n{:<17} {:>10} {:>8} {:>7} {:>8}\n",
               exec::name_of(compile.isa), peak, "op", "us", "GFLOP/s", "GB/s", "of peak");
  }
  for (const exec::OpCase& op_case : exec::op_cases()) {
    if (!options.op.empty() && op_case.op->name != options.op) continue;
    const exec::OpSpeed speed = exec::measure_op(op_case, compile, options.seconds);
    if (options.json) {
      json["ops"].push_back(to_json(speed, peak));
    } else {
      fmt::print("{}", line(speed, peak));
    }
  }
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print(
        "Convolutions count the taps on padding, which are skipped: over 100 % is possible.\n");
  }
  return kDone;
}

}  // namespace

void add_bench_ops(Command bench, Program& program) {
  auto options = std::make_shared<BenchOpsArguments>();
  Command command =
      bench.add_subcommand("ops", "Each op alone at the sizes of the models, data in cache");
  command.add_option("--op", options->op, "this op alone");
  command.add_option("--seconds", options->seconds, "measured time of each size")
      .real_range(1e-4, 60.0);
  command.add_flag("--json", options->json, "print JSON");
  command.callback(
      [&program, options] { program.action = [options] { return bench_ops(*options); }; });
}

}  // namespace outerloop::cli
