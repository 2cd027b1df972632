#include "train/image_preparation.h"

#include "outerloop/train/setup.h"

namespace outerloop::train {
namespace {

// One description for writing and reading.
template <class Preparation, class Visitor>
void visit(Preparation& preparation, Visitor visitor) {
  visitor("image_height", preparation.height);
  visitor("image_width", preparation.width);
  visitor("image_channels", preparation.channels);
  visitor("image_invert", preparation.invert);
}

}  // namespace

void store_preparation(const data::ImagePreparation& preparation, checkpoint::Checkpoint& to) {
  visit(preparation, [&to](const char* name, int64_t value) { to.integers[name] = value; });
}

data::ImagePreparation stored_preparation(const StoredRun& run) {
  const auto& integers = run.checkpoint.integers;
  if (!integers.contains("image_height")) {
    return load_data(run.config.config, run.config.folder).images->preparation;
  }
  data::ImagePreparation preparation;
  visit(preparation, [&integers](const char* name, auto& value) {
    value = static_cast<std::remove_reference_t<decltype(value)>>(integers.at(name));
  });
  return preparation;
}

}  // namespace outerloop::train
