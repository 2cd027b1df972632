// outerloop bench comm: the speed of the collectives between ranks.

#include "cli/bench_comm.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/ranks.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/bench.h"
#include "outerloop/comm/local.h"
#include "outerloop/comm/mpi.h"

namespace outerloop::cli {
namespace {

struct Options {
  int threads_as_ranks = 0;
  comm::CollectiveBench bench;
  bool json = false;
};

std::string table(const char* backend, const comm::Communicator& ranks,
                  const std::vector<comm::CollectiveSpeed>& speeds) {
  std::string text = fmt::format("{}, {} ranks\n{:<12} {:>10} {:>12} {:>12} {:>12}\n", backend,
                                 ranks.size(), "", "bytes", "us", "algbw GB/s", "busbw GB/s");
  for (const comm::CollectiveSpeed& speed : speeds) {
    text += fmt::format("{:<12} {:>10} {:>12.2f} {:>12.3f} {:>12.3f}\n", speed.what, speed.bytes,
                        speed.seconds * 1e6, speed.algbw / 1e9, speed.busbw / 1e9);
  }
  return text;
}

std::string to_json(const char* backend, const comm::Communicator& ranks,
                    const std::vector<comm::CollectiveSpeed>& speeds) {
  nlohmann::ordered_json json{{"backend", backend},
                              {"ranks", ranks.size()},
                              {"hosts", ranks.hosts()},
                              {"results", nlohmann::ordered_json::array()}};
  for (const comm::CollectiveSpeed& speed : speeds) {
    json["results"].push_back({{"what", speed.what},
                               {"bytes", speed.bytes},
                               {"us", speed.seconds * 1e6},
                               {"algbw_gbytes_per_s", speed.algbw / 1e9},
                               {"busbw_gbytes_per_s", speed.busbw / 1e9}});
  }
  return json.dump(2) + "\n";
}

void measure(const Options& options, const char* backend, comm::Communicator& ranks) {
  const auto speeds = comm::measure_collectives(ranks, options.bench);
  if (ranks.rank() > 0) return;
  fmt::print("{}", (options.json ? to_json : table)(backend, ranks, speeds));
}

int bench_comm(const Options& options, ColorMode color) {
  if (!comm::started_by_mpi()) {
    comm::run_ranks(options.threads_as_ranks > 0 ? options.threads_as_ranks : 2,
                    [&](comm::Communicator& ranks) { measure(options, "local", ranks); });
    return kDone;
  }
  return run_on_ranks(
      [&](comm::Communicator& ranks) {
        if (ranks.size() == 1 || options.threads_as_ranks > 0) {
          throw comm::AgreedBadInput(
              ranks.size() == 1
                  ? "bench comm needs two ranks: mpirun -np 2 or more"
                  : "--ranks makes threads of one process: leave it out under mpirun");
        }
        measure(options, "mpi", ranks);
        return kDone;
      },
      color);
}

}  // namespace

void add_bench_comm(CLI::App& bench, Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = bench.add_subcommand(
      "comm", "Collectives by size: under mpirun between its ranks, else between threads");
  command->add_option("--ranks", options->threads_as_ranks, "threads that are ranks; default: 2")
      ->check(CLI::Range(2, 256));
  command->add_option("--most-bytes", options->bench.most_bytes, "largest size")
      ->capture_default_str()
      ->check(CLI::Range(options->bench.least_bytes, int64_t{1} << 32));
  command->add_option("--seconds", options->bench.seconds, "measured time of each size")
      ->check(CLI::Range(1e-4, 60.0));
  command->add_flag("--json", options->json, "print JSON");
  command->callback([&program, options] {
    program.action = [&program, options] { return bench_comm(*options, program.color); };
  });
}

}  // namespace outerloop::cli
