#include "meta/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "outerloop/base/error.h"
#include "outerloop/config/algorithms.h"

namespace outerloop::meta {
namespace {

struct Maker {
  std::string_view algorithm;
  MakeLearner* make;
};

constexpr auto kMakers = std::to_array<Maker>({
    {"maml", make_maml},
    {"fomaml", make_fomaml},
    {"anil", make_anil},
    {"boil", make_boil},
    {"meta_sgd", make_meta_sgd},
    {"mamlpp", make_mamlpp},
    {"reptile", make_reptile},
    {"imaml", make_imaml},
    {"protonet", make_protonet},
    {"r2d2", make_r2d2},
    {"learned_optimizer", make_learned_optimizer},
});
static_assert(std::ranges::equal(kMakers, config::kAlgorithms, {}, &Maker::algorithm,
                                 &config::Algorithm::name),
              "the makers are those of config::kAlgorithms, in its order");

}  // namespace

Learner make_learner(const config::Config& config, const TaskShape& shape) {
  const std::string& name = config.learner.algorithm;
  const auto* const found = std::ranges::find(kMakers, name, &Maker::algorithm);
  if (found == kMakers.end()) {
    throw BadInput(fmt::format("learner.algorithm: '{}' is not known; use one of {}", name,
                               config::kAlgorithmWords));
  }
  return found->make(config, shape);
}

}  // namespace outerloop::meta
