#pragma once
// Speed of the meta-step: on a processor as a fraction of what its cores can do, on a GPU with what
// it launches and moves.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "outerloop/base/stopwatch.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/communicator.h"
#include "outerloop/config/read.h"
#include "outerloop/exec/device.h"
#include "outerloop/exec/executable.h"

namespace outerloop::train {

// GF/s of float32 on all ranks' threads' cores, each probed by exec::measure_fma_peak. Collective.
double measure_peak(comm::Communicator& ranks, ThreadPool& pool, exec::Isa isa);

struct MetaStepBench {
  std::string isa;
  std::string device;    // "cpu", or a GPU's name
  std::string numerics;  // runtime.numerics
  int64_t ranks = 1;
  std::string sums_by;  // as in a manifest: see run_folder.h
  int64_t threads = 0;  // of each rank
  int64_t meta_batch = 0;
  int64_t inner_steps = 0;
  int64_t repeats = 0;          // batches, whose median counts
  double seconds_per_step = 0;  // median over the batches
  double meta_steps_per_s = 0;
  double tasks_per_s = 0;
  double flops_per_task = 0;        // counted from the op records, multiply and add one each
  double dense_flops_per_task = 0;  // the part that matmuls and convolutions do
  double gflops = 0;
  double dense_gflops = 0;
  // On a processor.
  double fma_peak_gflops = 0;   // of all ranks' threads' cores, probed in the same run
  double fraction_of_peak = 0;  // of dense_gflops
  // On a GPU: kernels that this rank launches for a meta-step, all that its graphs hold, and the
  // bytes that those of a task read and write (exec::cuda::Executable::lane_traffic_bytes()).
  double launches_per_step = 0;
  double traffic_bytes_per_task = 0;
  double gbytes_per_s = 0;
  int64_t peak_device_bytes = 0;  // Device::most_held_bytes()
  // Shares of the first rank's time, of its busiest threads; the rest is waiting. `reduce` is what
  // remains of the sum over the ranks when a rank's own work is done. One rank's GPU makes steps
  // without the host: all is `compute`.
  double share_draw = 0, share_compute = 0, share_reduce = 0, share_update = 0;
  double seconds_to_first_step = 0;   // config read and data loaded until the first step is done
  int64_t kernel_calls_per_task = 0;  // on a processor
  int64_t planned_lane_bytes = 0;     // of a thread; on a GPU of a task
  int64_t buffer_bytes = 0;           // as MetaStep::buffer_bytes()
  double resident_mib = 0;            // of the process now
  double peak_resident_mib = 0;
  std::vector<exec::StepTime> profile;  // of one task, if asked for
};

struct BenchOptions {
  Stopwatch since_begin;  // of the command, before its config is read
  double seconds = 2;     // measured time in all
  bool profile = false;
  // For tests, as in TrainOptions.
  std::shared_ptr<exec::Device> device;
};

// Collective. What is counted of memory and times of parts is the calling rank's.
MetaStepBench bench_meta_step(const config::Resolved& resolved, const BenchOptions& options,
                              comm::Communicator& ranks);

std::string describe(const MetaStepBench& bench);
std::string to_json_text(const MetaStepBench& bench);

}  // namespace outerloop::train
