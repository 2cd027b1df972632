#include "exec/cpu/bound_steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

void check_type(std::string_view what, std::string_view name, const TensorType& type,
                const Tensor& tensor) {
  if (tensor.dtype() == type.dtype && tensor.shape() == type.shape) return;
  throw BadInput(fmt::format("{} '{}' of the program is {}, came {}", what, name, to_string(type),
                             to_string(TensorType{tensor.dtype(), tensor.shape()})));
}

}  // namespace

BoundSteps::BoundSteps(const StepList& list, const Program& program, std::byte* lane,
                       std::byte* shared)
    : list_(list), table_(list.operands.size(), nullptr) {
  for (const ProgramInput& input : program.inputs) {
    inputs_.push_back({input.name, program.type(input.value), {}});
  }
  for (const ProgramOutput& output : program.outputs) {
    outputs_.push_back({output.name, program.type(output.value), {}});
  }
  for (size_t i = 0; i < list.operands.size(); ++i) {
    const Location& location = list.operands[i];
    switch (location.place) {
      case Place::input:
        inputs_[static_cast<size_t>(location.at)].places.push_back(i);
        break;
      case Place::output:
        outputs_[static_cast<size_t>(location.at)].places.push_back(i);
        break;
      case Place::lane_arena:
        table_[i] = lane + location.at;
        break;
      case Place::shared_arena:
        table_[i] = shared + location.at;
        break;
      case Place::lane_overflow:
      case Place::unused:
        OL_ASSERT(false, "an operand has no place");
    }
  }
  for (size_t s = 0; s < list.kernels.size(); ++s) {
    calls_.push_back({list.kernels[s].function(), list.kernels[s].state(),
                      table_.data() + list.first_operand[s]});
  }
  const auto has_places = [](const External& value) { return !value.places.empty(); };
  unbound_ = static_cast<size_t>(std::ranges::count_if(inputs_, has_places) +
                                 std::ranges::count_if(outputs_, has_places));
}

BoundSteps::External& BoundSteps::external(std::vector<External>& list, int index,
                                           std::string_view what) {
  if (index < 0 || static_cast<size_t>(index) >= list.size()) {
    throw BadInput(fmt::format("the program has {} {}s, there is none of number {}", list.size(),
                               what, index));
  }
  return list[static_cast<size_t>(index)];
}

void BoundSteps::bind(External& value, std::string_view what, void* data) {
  const size_t alignment = size_of(value.type.dtype);
  if (data == nullptr && value.type.bytes() > 0) {
    throw BadInput(fmt::format("no memory for {} '{}' of the program, {}", what, value.name,
                               to_string(value.type)));
  }
  if (reinterpret_cast<uintptr_t>(data) % alignment != 0) {
    throw BadInput(fmt::format("the memory of {} '{}' must be aligned to {} bytes", what,
                               value.name, alignment));
  }
  for (size_t place : value.places) table_[place] = data;
  if (!std::exchange(value.bound, true) && !value.places.empty()) --unbound_;
}

void BoundSteps::bind_input(int index, const void* data) {
  bind(external(inputs_, index, "input"), "input", const_cast<void*>(data));
}

void BoundSteps::bind_input(int index, const Tensor& tensor) {
  External& value = external(inputs_, index, "input");
  check_type("input", value.name, value.type, tensor);
  bind(value, "input", const_cast<std::byte*>(tensor.data()));
}

void BoundSteps::bind_output(int index, void* data) {
  bind(external(outputs_, index, "output"), "output", data);
}

void BoundSteps::bind_output(int index, Tensor& tensor) {
  External& value = external(outputs_, index, "output");
  check_type("output", value.name, value.type, tensor);
  bind(value, "output", tensor.data());
}

void BoundSteps::refuse_to_run() const {
  const auto missing = [](const External& value) { return !value.bound && !value.places.empty(); };
  for (const auto& [what, list] : {std::pair{"input", &inputs_}, {"output", &outputs_}}) {
    const auto found = std::ranges::find_if(*list, missing);
    if (found == list->end()) continue;
    throw BadInput(fmt::format("{} '{}' of the program, {}, is not bound: bind it before running",
                               what, found->name, to_string(found->type)));
  }
  OL_ASSERT(false, "everything is bound");
  std::abort();
}

}  // namespace outerloop::exec
