#pragma once
// The steps of one list with their operands as addresses.

#include <string_view>
#include <vector>

#include "exec/cpu/executable_impl.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::exec {

class BoundSteps {
 public:
  // `list` and `program` must outlive this.
  BoundSteps(const StepList& list, const Program& program, std::byte* lane, std::byte* shared);
  BoundSteps(const BoundSteps&) = delete;
  BoundSteps& operator=(const BoundSteps&) = delete;

  // Throw BadInput as outerloop/exec/executable.h says.
  void bind_input(int index, const void* data);
  void bind_input(int index, const Tensor& tensor);
  void bind_output(int index, void* data);
  void bind_output(int index, Tensor& tensor);

  void run() const {
    if (unbound_ > 0) refuse_to_run();
    for (const Call& call : calls_) call.function(call.state, call.operands);
  }
  size_t size() const { return calls_.size(); }
  void run_step(size_t s) const { calls_[s].function(calls_[s].state, calls_[s].operands); }
  void check_bound() const {
    if (unbound_ > 0) refuse_to_run();
  }
  int32_t equation(size_t s) const { return list_.equation[s]; }

 private:
  struct Call {
    Kernel::Function function;
    const void* state;
    void* const* operands;
  };
  // An input or output of the program.
  struct External {
    std::string_view name;
    TensorType type;
    std::vector<size_t> places;  // in the table
    bool bound = false;
  };
  External& external(std::vector<External>& list, int index, std::string_view what);
  void bind(External& value, std::string_view what, void* data);
  [[noreturn]] void refuse_to_run() const;

  const StepList& list_;
  std::vector<void*> table_;
  std::vector<Call> calls_;
  std::vector<External> inputs_;
  std::vector<External> outputs_;
  size_t unbound_ = 0;  // of those that have places
};

}  // namespace outerloop::exec
