#include "train/self_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "outerloop/comm/agreement.h"

namespace outerloop::train {
namespace {

[[noreturn]] void refuse_gradient(const CheckedSlot& checked, int checker,
                                  const std::string& parameter, comm::Communicator* ranks) {
  const auto place = [&](int rank) {
    if (ranks == nullptr) return std::string("this process");
    return fmt::format("rank {} on {}", rank, ranks->hosts()[static_cast<size_t>(rank)]);
  };
  throw comm::AgreedFailure(fmt::format(
      "self-check: {} computed another gradient than {} at iteration {}, slot {}, first in "
      "tensor {}; one of them computes wrongly: test memory and processor there, and run the "
      "same command again elsewhere",
      place(checked.owner), checked.owner == checker ? "when it did so again" : place(checker),
      checked.iteration + 1, checked.slot, parameter));
}

}  // namespace

int64_t slot_to_check(int64_t every, int64_t slots, int64_t iteration) {
  if (every == 0 || (iteration + 1) % every != 0) return -1;
  return (iteration + 1) / every % slots;
}

void self_check(const CheckedSlot& checked, const CheckedGradient& gradient,
                const optim::ThetaLayout& layout, comm::Communicator* ranks) {
  const size_t parameters = layout.entries.size();
  const int size = ranks != nullptr ? ranks->size() : 1;
  const int rank = ranks != nullptr ? ranks->rank() : 0;
  const int checker = (checked.owner + 1) % size;
  std::vector<int64_t> both(2 * parameters);  // what they got; zeros elsewhere
  if (rank == checked.owner) {
    std::vector<uint32_t> own(parameters);
    gradient.own(own);
    std::ranges::copy(own, both.begin());
  }
  if (rank == checker) {
    std::ranges::copy(gradient.computed_again(),
                      both.begin() + static_cast<std::ptrdiff_t>(parameters));
  }
  if (size > 1) ranks->all_reduce("self-check", std::span(both), comm::Reduction::sum);
  for (size_t p = 0; p < parameters; ++p) {
    if (both[p] == both[parameters + p]) continue;
    refuse_gradient(checked, checker, layout.entries[p].name, ranks);
  }
}

}  // namespace outerloop::train
