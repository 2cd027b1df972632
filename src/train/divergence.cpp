#include "outerloop/train/divergence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "outerloop/base/error.h"
#include "outerloop/train/run_folder.h"
#include "train/hash_difference.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMostShown = 4;

std::vector<std::string> differing(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b,
                                   const std::vector<std::string>& names) {
  std::vector<std::string> result;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) result.push_back(names[i]);
  }
  return result;
}

HashFile hashes_of(const fs::path& run) {
  const RunFolder folder{run};
  if (!fs::exists(folder.hashes())) {
    throw BadInput(fmt::format(
        "{} has no hashes.bin: it was trained with log.hashes=false or by an older program",
        run.string()));
  }
  return HashFile(folder.hashes());
}

// "slot 3", "slots 3, 4, 5, 6 and 2 more"
template <class Items>
std::string listed(const char* what, const Items& items) {
  std::string text = fmt::format(" {}{} ", what, items.size() == 1 ? "" : "s");
  const size_t shown = std::min(items.size(), kMostShown);
  text +=
      fmt::format("{}", fmt::join(items.begin(), items.begin() + static_cast<long>(shown), ", "));
  if (shown < items.size()) text += fmt::format(" and {} more", items.size() - shown);
  return text;
}

}  // namespace

std::optional<Divergence> difference(const HashRow& a, const HashRow& b, const HashNames& names) {
  if (a == b) return std::nullopt;
  Divergence result{.iteration = a.iteration};
  for (size_t slot = 0; slot < a.slots.size(); ++slot) {
    if (a.slots[slot] != b.slots[slot]) result.slots.push_back(static_cast<int64_t>(slot));
  }
  result.tensors = differing(a.gradients, b.gradients, names.parameters);
  result.state = differing(a.state, b.state, names.parameters);
  return result;
}

Comparison compare_runs(const fs::path& a, const fs::path& b) {
  const HashFile first = hashes_of(a), second = hashes_of(b);
  if (first.names() != second.names()) {
    throw BadInput(fmt::format("{} and {} have other numbers of slots or other parameters",
                               a.string(), b.string()));
  }
  Comparison comparison;
  for (size_t i = 0, j = 0; i < first.rows() && j < second.rows();) {
    if (first.iteration(i) != second.iteration(j)) {
      first.iteration(i) < second.iteration(j) ? ++i : ++j;
      continue;
    }
    ++comparison.iterations;
    comparison.first = difference(first.row(i++), second.row(j++), first.names());
    if (comparison.first) break;
  }
  if (comparison.iterations == 0) {
    throw BadInput(
        fmt::format("the hashes of {} and {} have no iteration in common", a.string(), b.string()));
  }
  return comparison;
}

std::string describe(const Divergence& divergence) {
  std::string text = fmt::format("iteration {},", divergence.iteration);
  if (divergence.slots.empty() && divergence.tensors.empty()) {
    return text + " all gradients agree, after the update" + listed("tensor", divergence.state);
  }
  if (!divergence.slots.empty()) text += listed("slot", divergence.slots) + ",";
  return text + listed("tensor", divergence.tensors);
}

std::string describe(const Comparison& comparison) {
  if (comparison.first) return "first divergence: " + describe(*comparison.first) + "\n";
  return fmt::format("the hashes of all {} iterations that both runs logged agree\n",
                     comparison.iterations);
}

}  // namespace outerloop::train
