#include "train/hash_log.h"

#include <algorithm>

namespace outerloop::train {
namespace {

constexpr size_t kMostRows = 256;
constexpr size_t kMostWords = size_t{1} << 18;  // in all rows

size_t rows_for(const HashNames& names) {
  return std::clamp<size_t>(kMostWords / names.words(), 1, kMostRows);
}

}  // namespace

HashLog::HashLog(comm::Communicator& ranks, const HashNames& names)
    : ranks_(ranks), rows_(rows_for(names)) {}

void HashLog::add(int64_t iteration, const StepHashes& hashes) {
  HashRow& row = rows_[count_++];
  row.iteration = iteration;
  row.state = hashes.state;
  row.slots = hashes.slots;
  row.gradients = hashes.gradients;
}

void HashLog::flush(HashWriter* writer) {
  if (count_ == 0) return;
  if (ranks_.size() > 1) sum_up();
  if (writer != nullptr) writer->append(std::span(rows_).first(count_));
  count_ = 0;
}

// Only the gradients by parameter are in parts.
void HashLog::sum_up() {
  const bool leads = ranks_.rank() == 0;
  const auto ranks = static_cast<size_t>(ranks_.size());
  own_.clear();
  for (size_t i = 0; i < count_; ++i) {
    own_.insert(own_.end(), rows_[i].gradients.begin(), rows_[i].gradients.end());
  }
  const auto size = static_cast<int64_t>(own_.size());
  std::vector<int64_t> sent(ranks), received(ranks, leads ? size : 0);
  sent[0] = size;
  gathered_.resize(leads ? ranks * own_.size() : 0);
  ranks_.all_to_all_v("hashes", own_, sent, std::span(gathered_), received);
  if (!leads) return;
  for (size_t rank = 1; rank < ranks; ++rank) {
    const auto part = std::span(gathered_).subspan(rank * own_.size(), own_.size());
    std::ranges::transform(own_, part, own_.begin(), std::plus<>());
  }
  auto sum = own_.cbegin();
  for (size_t i = 0; i < count_; ++i) {
    std::vector<uint32_t>& gradients = rows_[i].gradients;
    std::copy_n(sum, gradients.size(), gradients.begin());
    sum += static_cast<std::ptrdiff_t>(gradients.size());
  }
}

}  // namespace outerloop::train
