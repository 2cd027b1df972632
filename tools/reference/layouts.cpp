#include "reference/layouts.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"
#include "reference/layout.h"

namespace outerloop::reference {

namespace {

constexpr Layout kLayouts[] = {
    {"derivatives", is_derivatives, check_derivatives},
    {"explain", is_explain, check_explain, false},
    {"importance", is_importance_file, check_importance_file, false, true},
    {"learned_opt", is_learned_opt, check_learned_opt},
    {"maml_conv4", is_maml_conv4, check_maml_conv4},
    {"maml_sine", is_maml_sine, check_maml_sine},
    {"metric", is_metric, check_metric},
};

constexpr JsonLayout kJsonLayouts[] = {
    {"importance", is_importance, check_importance},
    {"metrics", is_metrics, check_metrics},
};

template <class Layouts, class File>
const auto& first_match(const Layouts& layouts, const File& file, const std::string& name) {
  std::string known;
  for (const auto& layout : layouts) {
    if (layout.matches(file)) return layout;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", layout.name);
  }
  throw BadInput(fmt::format("{}: has none of the known layouts ({})", name, known));
}

}  // namespace

const Layout& layout_of(const StoredFile& file) {
  return first_match(kLayouts, file, file.path().string());
}

const JsonLayout& layout_of(const Document& document) {
  return first_match(kJsonLayouts, document, document.name());
}

}  // namespace outerloop::reference
