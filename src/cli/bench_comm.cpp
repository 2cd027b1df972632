// outerloop bench comm: the speed of the collectives between ranks.

#include "cli/bench_comm.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/ranks.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/bench.h"
#include "outerloop/comm/local.h"
#include "outerloop/comm/mpi.h"
#include "outerloop/train/device_collectives.h"

namespace outerloop::cli {
namespace {

struct BenchCommArguments {
  int threads_as_ranks = 0;
  bool gpus = false;
  std::optional<int64_t> most_bytes;
  comm::CollectiveBench bench;
  bool json = false;
};

// Links between GPUs are busy with more bytes than memory is.
constexpr int64_t kMostBytesOfGpus = int64_t{1} << 28;

std::string table(const std::string& backend, const comm::Communicator& ranks,
                  const std::vector<comm::CollectiveSpeed>& speeds) {
  std::string text = fmt::format("{}, {} ranks\n{:<12} {:>10} {:>12} {:>12} {:>12}\n", backend,
                                 ranks.size(), "", "bytes", "us", "algbw GB/s", "busbw GB/s");
  for (const comm::CollectiveSpeed& speed : speeds) {
    text += fmt::format("{:<12} {:>10} {:>12.2f} {:>12.3f} {:>12.3f}\n", speed.what, speed.bytes,
                        speed.seconds * 1e6, speed.algbw / 1e9, speed.busbw / 1e9);
  }
  return text;
}

nlohmann::ordered_json to_json(const std::string& backend, const comm::Communicator& ranks,
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
  return json;
}

void measure_gpus(const BenchCommArguments& options, comm::Communicator& ranks) {
  const train::DeviceCollectives found = train::measure_device_collectives(ranks, options.bench);
  if (ranks.rank() > 0) return;
  if (!found.note.empty()) tell(fmt::format("outerloop: {}\n", found.note));
  const auto fractions = {std::pair{"ordered sum", found.fraction_of_bus("ordered sum")},
                          std::pair{"fast sum", found.fraction_of_bus("fast sum")}};
  if (options.json) {
    nlohmann::ordered_json json = to_json(found.sums_by, ranks, found.speeds);
    json["device"] = found.device;
    for (const auto& [what, fraction] : fractions) json["fraction_of_bus"][what] = fraction;
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}", table(found.sums_by + ", " + found.device, ranks, found.speeds));
  for (const auto& [what, fraction] : fractions) {
    fmt::print("{}: {:.0f} % of the links' busbw, which is that of all_to_all\n", what,
               100 * fraction);
  }
}

void measure(const BenchCommArguments& options, const char* backend, comm::Communicator& ranks) {
  if (options.gpus) return measure_gpus(options, ranks);
  const auto speeds = comm::measure_collectives(ranks, options.bench);
  if (ranks.rank() > 0) return;
  fmt::print("{}", options.json ? to_json(backend, ranks, speeds).dump(2) + "\n"
                                : table(backend, ranks, speeds));
}

int bench_comm(const BenchCommArguments& options, ColorMode color) {
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

void add_bench_comm(Command bench, Program& program) {
  auto options = std::make_shared<BenchCommArguments>();
  Command command = bench.add_subcommand(
      "comm", "Collectives by size: under mpirun between its ranks, else between threads");
  command.add_option("--ranks", options->threads_as_ranks, "threads that are ranks; default: 2")
      .range(2, 256);
  command
      .add_option_function(
          "--device", [options](const std::string& word) { options->gpus = word == "cuda"; },
          "whose memory: cpu, or cuda, where each rank takes a GPU of its host in turn")
      .one_of({"cpu", "cuda"});
  command
      .add_option("--most-bytes", options->most_bytes,
                  fmt::format("largest size; default: {} MiB, between GPUs {} MiB",
                              options->bench.most_bytes >> 20, kMostBytesOfGpus >> 20))
      .range(options->bench.least_bytes, int64_t{1} << 32);
  command.add_option("--seconds", options->bench.seconds, "measured time of each size")
      .real_range(1e-4, 60.0);
  command.add_flag("--json", options->json, "print JSON");
  command.callback([&program, options] {
    if (options->gpus) options->bench.most_bytes = kMostBytesOfGpus;
    options->bench.most_bytes = options->most_bytes.value_or(options->bench.most_bytes);
    program.action = [&program, options] { return bench_comm(*options, program.color); };
  });
}

}  // namespace outerloop::cli
