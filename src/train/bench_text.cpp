// What a bench of the meta-step says, in words and as JSON.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "outerloop/train/bench.h"

namespace outerloop::train {
namespace {

bool on_gpu(const MetaStepBench& b) {
  return b.device != "cpu";
}

double mib(double bytes) {
  return bytes / (1 << 20);
}

// Zero for a step that was too short for the clock.
double gflops_of(const exec::StepTime& time) {
  return time.seconds > 0 ? time.flops / time.seconds / 1e9 : 0.0;
}

std::string machine(const MetaStepBench& b) {
  std::string text = fmt::format("{} rank(s) of {} thread(s), ", b.ranks, b.threads);
  text += on_gpu(b) ? fmt::format("{}, numerics {}, ", b.device, b.numerics) : b.isa + ", ";
  if (b.ranks > 1) text += fmt::format("sums by {}, ", b.sums_by);
  return text;
}

std::string speed(const MetaStepBench& b) {
  std::string text = fmt::format(
      "{:.1f} meta-steps/s, {:.0f} tasks/s (median of {})\n"
      "{:.3f} MFLOP/task, {:.1f} GFLOP/s; matmuls and convolutions: {:.3f} MFLOP/task, {:.1f} "
      "GFLOP/s",
      b.meta_steps_per_s, b.tasks_per_s, b.repeats, b.flops_per_task / 1e6, b.gflops,
      b.dense_flops_per_task / 1e6, b.dense_gflops);
  if (on_gpu(b)) {
    return text + fmt::format(
                      "\n{:.3f} MB/task, {:.1f} GB/s: what each kernel of a task reads and writes, "
                      "counted once\n",
                      b.traffic_bytes_per_task / 1e6, b.gbytes_per_s);
  }
  return text + fmt::format(" = {:.1f} % of the FMA peak ({:.0f} GFLOP/s)\n",
                            100 * b.fraction_of_peak, b.fma_peak_gflops);
}

std::string shares(const MetaStepBench& b) {
  if (on_gpu(b)) return "";  // the host sees no part of its steps
  return fmt::format("draw {:.1f} %, compute {:.1f} %, reduce {:.1f} %, update {:.1f} %\n",
                     100 * b.share_draw, 100 * b.share_compute, 100 * b.share_reduce,
                     100 * b.share_update);
}

std::string memory(const MetaStepBench& b) {
  const double lane = mib(static_cast<double>(b.planned_lane_bytes));
  const double buffers = mib(static_cast<double>(b.buffer_bytes));
  const std::string head =
      on_gpu(b)
          ? fmt::format(
                "{:.0f} launches/meta-step, arena {:.2f} MiB/task, device memory {:.2f} MiB (peak "
                "{:.2f})",
                b.launches_per_step, lane, buffers, mib(static_cast<double>(b.peak_device_bytes)))
          : fmt::format("{} kernel calls/task, arena {:.2f} MiB/thread, buffers {:.2f} MiB",
                        b.kernel_calls_per_task, lane, buffers);
  return head +
         fmt::format(", resident {:.1f} MiB (peak {:.1f})\n", b.resident_mib, b.peak_resident_mib);
}

std::string profile(const MetaStepBench& b) {
  double sum = 0;
  for (const exec::StepTime& time : b.profile) sum += time.seconds;
  std::vector<exec::StepTime> sorted = b.profile;
  std::ranges::stable_sort(sorted, std::greater<>(), &exec::StepTime::seconds);
  std::string text;
  for (const exec::StepTime& time : sorted) {
    text +=
        fmt::format("{:9.2f} us {:5.1f} % {:7.1f} GFLOP/s  {}\n", time.seconds * 1e6,
                    sum > 0 ? 100 * time.seconds / sum : 0.0, gflops_of(time), time.description);
  }
  return text;
}

nlohmann::ordered_json shares_json(const MetaStepBench& b) {
  if (on_gpu(b)) return {{"compute", b.share_compute}};
  return {{"draw", b.share_draw},
          {"compute", b.share_compute},
          {"reduce", b.share_reduce},
          {"update", b.share_update}};
}

}  // namespace

std::string describe(const MetaStepBench& b) {
  return machine(b) + fmt::format("{} tasks x {} inner step(s)\n", b.meta_batch, b.inner_steps) +
         speed(b) + shares(b) + memory(b) +
         fmt::format("first step after {:.3f} s\n", b.seconds_to_first_step) + profile(b);
}

std::string to_json_text(const MetaStepBench& b) {
  nlohmann::ordered_json json{{"isa", b.isa},
                              {"device", b.device},
                              {"numerics", b.numerics},
                              {"ranks", b.ranks},
                              {"sums_by", b.sums_by},
                              {"threads", b.threads},
                              {"meta_batch", b.meta_batch},
                              {"inner_steps", b.inner_steps},
                              {"meta_steps_per_s", b.meta_steps_per_s},
                              {"tasks_per_s", b.tasks_per_s},
                              {"flops_per_task", b.flops_per_task},
                              {"dense_flops_per_task", b.dense_flops_per_task},
                              {"gflops", b.gflops},
                              {"dense_gflops", b.dense_gflops}};
  if (on_gpu(b)) {
    json["launches_per_step"] = b.launches_per_step;
    json["traffic_bytes_per_task"] = b.traffic_bytes_per_task;
    json["gbytes_per_s"] = b.gbytes_per_s;
    json["peak_device_bytes"] = b.peak_device_bytes;
  } else {
    json["fma_peak_gflops"] = b.fma_peak_gflops;
    json["fraction_of_peak"] = b.fraction_of_peak;
    json["kernel_calls_per_task"] = b.kernel_calls_per_task;
  }
  json["share"] = shares_json(b);
  json["planned_lane_bytes"] = b.planned_lane_bytes;
  json["buffer_bytes"] = b.buffer_bytes;
  json["resident_mib"] = b.resident_mib;
  json["peak_resident_mib"] = b.peak_resident_mib;
  json["seconds_to_first_step"] = b.seconds_to_first_step;
  for (const exec::StepTime& time : b.profile) {
    json["profile"].push_back(
        {{"equation", time.description}, {"us", time.seconds * 1e6}, {"gflops", gflops_of(time)}});
  }
  return json.dump(2) + "\n";
}

}  // namespace outerloop::train
