#include "reference/layouts.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"
#include "reference/layout.h"

namespace outerloop::reference {

std::span<const Layout> layouts() {
  static constexpr Layout kLayouts[] = {
      {"derivatives", is_derivatives, check_derivatives},
      {"learned_opt", is_learned_opt, check_learned_opt},
      {"maml_conv4", is_maml_conv4, check_maml_conv4},
      {"maml_sine", is_maml_sine, check_maml_sine},
      {"metric", is_metric, check_metric},
  };
  return kLayouts;
}

const Layout& layout_of(const io::Hdf5File& file) {
  std::string known;
  for (const Layout& layout : layouts()) {
    if (layout.matches(file)) return layout;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", layout.name);
  }
  throw BadInput(
      fmt::format("{}: has none of the known layouts ({})", file.path().string(), known));
}

}  // namespace outerloop::reference
