#include <utility>

#include "outerloop/checkpoint/store.h"

namespace outerloop::checkpoint {

BackgroundSaver::~BackgroundSaver() {
  if (writer_.joinable()) writer_.join();
}

void BackgroundSaver::save(const Checkpoint& checkpoint, bool is_best) {
  finish();
  writer_ = std::thread([this, is_best, copy = deep_copy(checkpoint)] {
    try {
      store_.save(copy, is_best);
    } catch (...) {
      error_ = std::current_exception();
    }
  });
}

void BackgroundSaver::finish() {
  if (writer_.joinable()) writer_.join();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace outerloop::checkpoint
