#pragma once
// Letters by which ranks whose GPUs wait for each other find out why, so that all end with one
// line.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "comm/link.h"
#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

class RollCall {
 public:
  explicit RollCall(Communicator& ranks) : ranks_(ranks), heard_(hosts()) {}

  // Takes the letters that came. Throws RankFailure when another rank failed and said why.
  void listen();
  // Whether another rank ran out of time and asks where the others are.
  bool asked() const { return asked_; }

  // Tells the others why this rank ends.
  void tell(const std::string& why);
  // Says where this rank is, waits for the others to do so, at most `answer`, and returns in one
  // line which rank is missing, or that none is. `common`: the last collective that all were in.
  std::string take(const Collective& own, const Collective& common, std::chrono::milliseconds stall,
                   std::chrono::milliseconds answer);

 private:
  size_t hosts() const { return ranks_.hosts().size(); }
  void post(const Message& message);
  bool all_heard() const;

  Communicator& ranks_;
  std::vector<std::optional<Message>> heard_;  // by rank
  bool asked_ = false;
};

}  // namespace outerloop::comm
