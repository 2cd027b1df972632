#include "train/preparation.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"

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

constexpr const char* kTable = "table_preparation";

}  // namespace

void store_preparation(const Data& data, checkpoint::Checkpoint& to) {
  if (data.images) {
    visit(data.images->preparation,
          [&to](const char* name, int64_t value) { to.integers[name] = value; });
  }
  if (data.table) to.texts[kTable] = data::to_text(data.table->preparation);
}

data::ImagePreparation stored_image_preparation(const StoredRun& run) {
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

data::TablePreparation stored_table_preparation(const StoredRun& run) {
  const auto& texts = run.checkpoint.texts;
  if (!texts.contains(kTable)) {
    throw CorruptFile(fmt::format("{}: expected a text '{}', how the table's rows become inputs",
                                  run.checkpoint_file.string(), kTable));
  }
  return data::parse_table_preparation(texts.at(kTable));
}

}  // namespace outerloop::train
