#include "outerloop/interp/gather.h"

#include <algorithm>
#include <vector>

namespace outerloop::interp {

GatheredRows GatheredRows::part(size_t begin, size_t count) const {
  GatheredRows result = *this;
  result.rows = rows.subspan(begin, count);
  if (!donors.empty()) result.donors = donors.subspan(begin, count);
  return result;
}

void GatheredRows::copy_to(std::span<double> table) const {
  const size_t width = x->columns();
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto own = x->row(rows[i]);
    const auto place = table.subspan(i * width, width);
    std::ranges::copy(own, place.begin());
    for (const uint32_t c : columns) {
      place[c] = residuals == nullptr
                     ? x->row(donors[i])[c]
                     : own[c] - residuals->row(rows[i])[c] + residuals->row(donors[i])[c];
    }
  }
}

BlockModel gathering(Model model) {
  const size_t width = model.width;
  const auto predict = [model = std::move(model)](const GatheredRows& block,
                                                  std::span<double> predictions) {
    std::vector<double> table(block.size() * block.x->columns());
    block.copy_to(table);
    model.predict(TableView(table, block.x->columns()), predictions);
  };
  return {.width = width, .predict = predict};
}

}  // namespace outerloop::interp
