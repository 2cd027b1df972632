#pragma once
// Ranks that go on together or fail together.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

// One string per rank, on every rank.
std::vector<std::string> all_gather_strings(Communicator& ranks, Label label,
                                            std::string_view mine);

// "rank 2 on node07, rank 3 on node08"; of many the first few.
std::string names_of(const std::vector<std::string>& hosts, const std::vector<int>& ranks);

// Why a rank cannot go on, with the exit code for it: 2 the user's fault, 1 anything else.
struct Failure {
  std::string message;
  int code = 1;
};

// The failure of the lowest rank that has one, on every rank; nothing when none has.
struct FirstFailure {
  Failure failure;
  int rank = 0;
  int failed = 1;          // ranks that failed
  bool everybody = false;  // all ranks, with the same words
};
std::optional<FirstFailure> first_failure(Communicator& ranks, Label label,
                                          const std::optional<Failure>& mine);

// Marks errors that every rank throws at the same place, so that all can end in step. Any other
// error is one rank's own: the rest must be ended by Communicator::abort.
class Agreed {
 public:
  virtual ~Agreed() = default;
};
class AgreedBadInput : public BadInput, public Agreed {
 public:
  using BadInput::BadInput;
};
class AgreedFailure : public SystemFailure, public Agreed {
 public:
  using SystemFailure::SystemFailure;
};

// Runs `phase` on every rank; when it throws on any, all throw the first failure with its rank and
// host: AgreedBadInput for BadInput, AgreedFailure for the rest. `phase` calls nothing collective.
// A single rank's errors pass unchanged.
void fail_together(Communicator& ranks, Label label, const std::function<void()>& phase);

// Throws AgreedBadInput on all ranks unless all bring the same fingerprint, with the ranks and
// hosts that differ from most. `what`: "the data set"; `advice`: what to do.
void require_equal(Communicator& ranks, Label label, std::string_view what,
                   std::string_view fingerprint, std::string_view advice);

}  // namespace outerloop::comm
