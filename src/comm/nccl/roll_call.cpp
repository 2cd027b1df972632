#include "comm/nccl/roll_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "comm/judge.h"

namespace outerloop::comm {
namespace {

Message message_of(int rank, const Collective& at) {
  Message message{.rank = rank,
                  .kind = MessageKind::alive,
                  .verb = at.verb,
                  .left = at.left,
                  .sequence = at.sequence};
  set_text(message, at.label);
  return message;
}

}  // namespace

void RollCall::listen() {
  while (const auto letter = ranks_.take()) {
    Message message;
    OL_ASSERT(letter->bytes.size() == sizeof(message), "a letter of somebody else");
    std::memcpy(&message, letter->bytes.data(), sizeof(message));
    if (message.kind == MessageKind::end) throw RankFailure(message.text.data());
    heard_[static_cast<size_t>(letter->from)] = message;
    asked_ = true;
  }
}

void RollCall::post(const Message& message) {
  for (int r = 0; r < ranks_.size(); ++r) {
    if (r != ranks_.rank()) ranks_.post(r, std::as_bytes(std::span(&message, 1)));
  }
}

void RollCall::tell(const std::string& why) {
  Message message{.rank = ranks_.rank(), .kind = MessageKind::end};
  set_text(message, why);
  post(message);
}

bool RollCall::all_heard() const {
  return std::ranges::all_of(heard_, [](const auto& message) { return message.has_value(); });
}

std::string RollCall::take(const Collective& own, const Collective& common,
                           std::chrono::milliseconds stall, std::chrono::milliseconds answer) {
  const Message mine = message_of(ranks_.rank(), own);
  heard_[static_cast<size_t>(ranks_.rank())] = mine;
  post(mine);
  const Clock::time_point now = Clock::now();
  while (!all_heard() && Clock::now() - now < answer) {
    listen();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // The watchdog's rules and words: who does not answer gave no sign of life since `common`.
  std::vector<Sighting> seen;
  for (const auto& heard : heard_) {
    Collective at = common;
    at.left = true;
    if (heard) at = {heard->sequence, heard->verb, heard->text.data(), 0, heard->left};
    seen.push_back({.heard = heard ? now : now - stall,
                    .moved = now - stall,
                    .sequence = at.sequence,
                    .left = at.left,
                    .collective = describe(at)});
  }
  const auto verdict = judge(seen, ranks_.hosts(), now, {.silence = stall, .stall = stall});
  if (verdict) return verdict->text;
  // Nobody waits for another, but some GPU does not come to its end.
  auto stuck = std::ranges::find(seen, false, &Sighting::left);
  if (stuck == seen.end()) stuck = std::ranges::min_element(seen, {}, &Sighting::sequence);
  const auto rank = static_cast<size_t>(stuck - seen.begin());
  const auto furthest = std::ranges::max_element(seen, {}, &Sighting::sequence);
  return fmt::format("rank {} on {} has been stuck for {:g} s {}", rank, ranks_.hosts()[rank],
                     static_cast<double>(stall.count()) / 1000,
                     stuck->left ? fmt::format("behind {}; others are past {}", stuck->collective,
                                               furthest->collective)
                                 : fmt::format("in {}, which others left", stuck->collective));
}

}  // namespace outerloop::comm
