// outerloop bench importance: how fast the permuted copies of a learner or of a network are scored.

#include "cli/bench_importance.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/importance_flags.h"
#include "cli/ranks.h"
#include "outerloop/base/stopwatch.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/exec/executable.h"
#include "outerloop/farm/run.h"
#include "outerloop/interp/importance_bench.h"
#include "outerloop/train/bench.h"

namespace outerloop::cli {
namespace {

struct BenchImportanceArguments {
  std::string source;
  std::vector<std::string> words;
  RunImportanceFlags flags;
  bool json = false;
};

struct Speed {
  int64_t ranks = 1, threads = 1, tasks = 0, groups = 0, repeats = 0;
  double seconds = 0;         // of all tasks
  double cells_per_task = 0;  // scores of a permuted copy
  double spared_share = 0;    // of the cells: the copy was equal to the original
  double rows_per_task = 0;   // answered, those of untouched queries too
  double flops_per_task = 0;
  double peak_gflops = 0;  // of all threads' cores

  double per_s(double per_task) const { return static_cast<double>(tasks) * per_task / seconds; }
  double fraction() const {
    return peak_gflops > 0 ? per_s(flops_per_task) * 1e-9 / peak_gflops : 0;
  }
};

// Compiles on every thread, so that no measured task has to.
void warm_up(farm::Job& job, ThreadPool& pool) {
  pool.run([&](int thread) {
    std::vector<double> values(job.columns().size());
    job.run(0, thread, values);
  });
}

// Of all ranks, per task, since `before`.
void count(const interp::RunImportanceJob& job, const interp::TaskWork& before,
           comm::Communicator& ranks, Speed& speed) {
  const interp::TaskWork now = job.work();
  std::array<double, 4> done{static_cast<double>(now.cells - before.cells),
                             static_cast<double>(now.spared - before.spared),
                             static_cast<double>(now.rows - before.rows), now.flops - before.flops};
  ranks.all_reduce("work", std::span(done), comm::Reduction::sum);
  const auto tasks = static_cast<double>(speed.tasks);
  speed.cells_per_task = done[0] / tasks;
  speed.spared_share = done[1] / done[0];
  speed.rows_per_task = done[2] / tasks;
  speed.flops_per_task = done[3] / tasks;
}

Speed measure(interp::RunImportanceJob& job, comm::Communicator& ranks, ThreadPool& pool) {
  const interp::ImportanceRound& round = job.round();
  Speed speed{.ranks = ranks.size(),
              .threads = pool.size(),
              .tasks = round.tasks,
              .groups = static_cast<int64_t>(round.groups.size()),
              .repeats = round.repeats};
  warm_up(job, pool);
  const interp::TaskWork before = job.work();
  ranks.barrier("beginning");
  const Stopwatch watch;
  farm::run(job, ranks, pool, {});
  speed.seconds = watch.seconds();
  count(job, before, ranks, speed);
  const exec::Isa isa = exec::CompileOptions{}.isa;
  if (isa != exec::Isa::scalar) speed.peak_gflops = train::measure_peak(ranks, pool, isa);
  return speed;
}

nlohmann::ordered_json json_of(const Speed& s) {
  return {{"ranks", s.ranks},
          {"threads", s.threads},
          {"tasks", s.tasks},
          {"groups", s.groups},
          {"repeats", s.repeats},
          {"seconds", s.seconds},
          {"tasks_per_s", s.per_s(1)},
          {"cells_per_s", s.per_s(s.cells_per_task)},
          {"spared_share", s.spared_share},
          {"rows_per_s", s.per_s(s.rows_per_task)},
          {"flops_per_task", s.flops_per_task},
          {"gflops", s.per_s(s.flops_per_task) * 1e-9},
          {"fma_peak_gflops", s.peak_gflops},
          {"fraction_of_peak", s.fraction()}};
}

std::string describe(const Speed& s) {
  return fmt::format(
      "{} rank(s) of {} thread(s), {} tasks x {} groups x {} repeats\n"
      "{:.4g} tasks/s, {:.4g} cells/s, {:.4g} rows/s\n"
      "{:.1f} % of the cells are copies equal to the original, which need no answers\n"
      "{:.4g} MFLOP/task, {:.1f} GFLOP/s = {:.1f} % of the FMA peak ({:.0f} GFLOP/s)\n",
      s.ranks, s.threads, s.tasks, s.groups, s.repeats, s.per_s(1), s.per_s(s.cells_per_task),
      s.per_s(s.rows_per_task), 100 * s.spared_share, s.flops_per_task * 1e-6,
      s.per_s(s.flops_per_task) * 1e-9, 100 * s.fraction(), s.peak_gflops);
}

int bench_importance(const BenchImportanceArguments& options, comm::Communicator& ranks) {
  std::optional<interp::RunImportanceJob> job;
  int threads = 1;
  comm::fail_together(ranks, "command line and run", [&] {
    const auto spec = run_importance_spec(options.source, options.words, options.flags);
    threads = spec.threads;
    job.emplace(spec);
  });
  ThreadPool pool(threads);
  const Speed speed = measure(*job, ranks, pool);
  if (ranks.rank() > 0) return kDone;
  fmt::print("{}", options.json ? json_of(speed).dump(2) + "\n" : describe(speed));
  return kDone;
}

int bench_network(const BenchImportanceArguments& options) {
  refuse_flags_of_runs(options.flags);
  std::optional<interp::ImportanceSpec> spec;
  if (!options.source.empty()) {
    spec = interp::read_importance_spec(options.source, options.words);
  }
  const auto benches = interp::bench_importance(spec);
  fmt::print("{}", options.json ? interp::to_json_text(benches) : interp::describe(benches));
  return kDone;
}

}  // namespace

void add_bench_importance(Command bench, Program& program) {
  auto options = std::make_shared<BenchImportanceArguments>();
  Command command = bench.add_subcommand(
      "importance", "Scores of permuted copies per second, fraction of the FMA peak");
  command.add_option("SOURCE", options->source,
                     "Run folder or checkpoint file; or a config with model: mlp, on one thread; "
                     "without: a network 50-64-64-1 on 10,000 rows");
  command.add_option("WORDS", options->words, "key=value of the run's protocol or of the config");
  add_scoring_flags(command, options->flags);
  command.add_flag("--json", options->json, "print JSON");
  command.callback([&program, options] {
    program.action = [&program, options] {
      if (options->source.empty() || !is_run(options->source)) return bench_network(*options);
      return run_on_ranks(
          [&](comm::Communicator& ranks) { return bench_importance(*options, ranks); },
          program.color);
    };
  });
}

}  // namespace outerloop::cli
