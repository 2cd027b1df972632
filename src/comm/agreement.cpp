#include "outerloop/comm/agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <new>

namespace outerloop::comm {
namespace {

std::optional<Failure> failure_of(const std::function<void()>& phase) {
  try {
    phase();
    return std::nullopt;
  } catch (const BadInput& error) {
    return Failure{error.what(), 2};
  } catch (const std::bad_alloc&) {
    return Failure{"out of memory", 1};
  } catch (const std::exception& error) {
    return Failure{error.what(), 1};
  }
}

std::string said_by(const Communicator& ranks, const FirstFailure& first) {
  if (first.everybody) return first.failure.message;
  const std::string others = first.failed == 1
                                 ? std::string()
                                 : fmt::format(", the first of {} ranks that failed", first.failed);
  return fmt::format("rank {} on {}{}: {}", first.rank,
                     ranks.hosts()[static_cast<size_t>(first.rank)], others, first.failure.message);
}

}  // namespace

std::vector<std::string> all_gather_strings(Communicator& ranks, Label label,
                                            std::string_view mine) {
  std::vector<int64_t> lengths(static_cast<size_t>(ranks.size()));
  const auto length = static_cast<int64_t>(mine.size());
  ranks.all_gather(label, {&length, 1}, std::span(lengths));
  int64_t total = 0;
  for (const int64_t l : lengths) total += l;
  std::string all(static_cast<size_t>(total), '\0');
  ranks.all_gather_v(label, mine, std::span(all), lengths);
  std::vector<std::string> strings;
  size_t begin = 0;
  for (const int64_t l : lengths) {
    strings.push_back(all.substr(begin, static_cast<size_t>(l)));
    begin += static_cast<size_t>(l);
  }
  return strings;
}

std::string names_of(const std::vector<std::string>& hosts, const std::vector<int>& ranks) {
  constexpr size_t kNamed = 4;
  std::string text;
  for (size_t i = 0; i < std::min(ranks.size(), kNamed); ++i) {
    text += fmt::format("{}rank {} on {}", i == 0 ? "" : ", ", ranks[i],
                        hosts[static_cast<size_t>(ranks[i])]);
  }
  if (ranks.size() > kNamed) text += fmt::format(" and {} more", ranks.size() - kNamed);
  return text;
}

std::optional<FirstFailure> first_failure(Communicator& ranks, Label label,
                                          const std::optional<Failure>& mine) {
  constexpr int64_t kFine = -1;
  std::vector<int64_t> codes(static_cast<size_t>(ranks.size()));
  const int64_t code = mine ? mine->code : kFine;
  ranks.all_gather(label, {&code, 1}, std::span(codes));
  const auto found = std::ranges::find_if(codes, [](int64_t c) { return c != kFine; });
  if (found == codes.end()) return std::nullopt;

  const std::vector<std::string> messages =
      all_gather_strings(ranks, label, mine ? mine->message : "");
  FirstFailure first;
  first.rank = static_cast<int>(found - codes.begin());
  first.failure = {messages[static_cast<size_t>(first.rank)], static_cast<int>(*found)};
  first.failed = static_cast<int>(codes.end() - found - std::count(found, codes.end(), kFine));
  first.everybody = first.failed == ranks.size() &&
                    std::ranges::all_of(messages, [&](const std::string& message) {
                      return message == first.failure.message;
                    });
  return first;
}

void fail_together(Communicator& ranks, Label label, const std::function<void()>& phase) {
  if (ranks.size() == 1) return phase();
  const auto first = first_failure(ranks, label, failure_of(phase));
  if (!first) return;
  const std::string message = said_by(ranks, *first);
  if (first->failure.code == 2) throw AgreedBadInput(message);
  throw AgreedFailure(message);
}

void require_equal(Communicator& ranks, Label label, std::string_view what,
                   std::string_view fingerprint, std::string_view advice) {
  const std::vector<std::string> all = all_gather_strings(ranks, label, fingerprint);
  std::map<std::string, std::vector<int>> members;
  for (int r = 0; r < ranks.size(); ++r) members[all[static_cast<size_t>(r)]].push_back(r);
  if (members.size() == 1) return;
  // Ties go to the group of the lowest rank, so that all ranks say the same.
  const auto most = std::ranges::max_element(members, [](const auto& a, const auto& b) {
    const auto key = [](const auto& m) { return std::pair(m.second.size(), -m.second.front()); };
    return key(a) < key(b);
  });
  std::string text = fmt::format("{} is not the same on all ranks: {} on {} of {} ranks", what,
                                 most->first, most->second.size(), ranks.size());
  for (const auto& [value, group] : members) {
    if (value != most->first)
      text += fmt::format(", {} on {}", value, names_of(ranks.hosts(), group));
  }
  throw AgreedBadInput(fmt::format("{}; {}", text, advice));
}

}  // namespace outerloop::comm
