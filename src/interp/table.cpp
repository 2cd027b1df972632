#include "outerloop/interp/table.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop::interp {

TableView::TableView(std::span<const double> values, size_t columns)
    : values_(values), rows_(columns == 0 ? 0 : values.size() / columns), columns_(columns) {
  if (rows_ * columns != values.size()) {
    throw BadInput(fmt::format("{} numbers are no whole number of rows of {} columns",
                               values.size(), columns));
  }
}

}  // namespace outerloop::interp
