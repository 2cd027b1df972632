#pragma once
// Steps that a device takes one after the other while the host is elsewhere: the numbers that
// differ from step to step come from tables, and what each step gives is kept in a row of its own.

#include <memory>
#include <vector>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

// A row has 32-bit words. By task: loss, accuracy, whether it counts (1 or 0), the hash of its
// gradient if it counts, its measures. Then by parameter the hashes of the gradients that count, by
// parameter those of the state, and whether the update was made (1 or 0).
struct StepRow {
  int64_t tasks = 0;
  int64_t parameters = 0;
  int64_t vectors = 0;  // of the state
  int64_t measures = 0;
  bool has_accuracy = false;  // else it is 0

  int64_t task_words() const { return 4 + measures; }
  int64_t words() const { return tasks * task_words() + 2 * parameters + 1; }
};

class StepLog {
 public:
  // Where the device has what a row is made of. Words are uint32, numbers float.
  struct Results {
    std::byte* losses = nullptr;           // (tasks,)
    std::byte* accuracies = nullptr;       // (tasks,), where there are any
    std::vector<std::byte*> measures;      // (tasks,) each
    std::byte* counts = nullptr;           // (tasks,)
    std::byte* gradient_hashes = nullptr;  // (tasks, parameters)
    std::byte* state_hashes = nullptr;     // (vectors, parameters)
    std::byte* made = nullptr;             // ()
  };
  // (3,): rate, and two factors that go by the updates made before.
  StepLog(std::shared_ptr<Device> device, const StepRow& row, int64_t most_steps,
          const Results& results, std::byte* scalars);
  ~StepLog();

  // The next steps are new ones, for which there are as many rates, and as many factors of either
  // kind: those of the first update, of the next one, and so on.
  void restart(const DeviceStream& stream, std::span<const float> rates,
               std::span<const float> factors1, std::span<const float> factors2);
  // Where the device counts the steps since restart(): a uint32, 0 in the first once it has begun.
  std::byte* step() const;
  // At the start of each step, and at its end. Can be recorded.
  void launch_begin(const DeviceStream& stream);
  void launch_end(const DeviceStream& stream);
  // The rows of the steps since restart(), on the host when the stream is synchronised.
  void fetch(const DeviceStream& stream, int64_t steps);
  std::span<const uint32_t> row(int64_t step) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
