#include "meta/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "outerloop/base/error.h"

namespace outerloop::meta {

std::span<const Algorithm> algorithms() {
  static constexpr Algorithm kAlgorithms[] = {
      {"anil", "MAML whose inner loop changes the last layer only", make_anil},
      {"boil", "MAML whose inner loop changes all but the last layer", make_boil},
      {"fomaml", "MAML without second derivatives", make_fomaml},
      {"imaml", "implicit meta-gradients of a regularised inner loop", make_imaml},
      {"learned_optimizer", "an update rule per parameter, learned through the inner loop",
       make_learned_optimizer},
      {"maml", "an initialisation from which few gradient steps suffice", make_maml},
      {"mamlpp", "MAML with rates and norms per step and the losses of all steps", make_mamlpp},
      {"meta_sgd", "MAML with a learned rate per parameter", make_meta_sgd},
      {"protonet", "classes by the nearest mean of embeddings", make_protonet},
      {"r2d2", "ridge regression on embeddings, to classes or to numbers", make_r2d2},
      {"reptile", "moves the initialisation towards adapted weights", make_reptile},
  };
  return kAlgorithms;
}

Learner make_learner(const config::Config& config, const TaskShape& shape) {
  std::vector<std::string_view> names;
  for (const Algorithm& algorithm : algorithms()) {
    if (algorithm.name == config.learner.algorithm) return algorithm.make(config, shape);
    names.push_back(algorithm.name);
  }
  throw BadInput(fmt::format("learner.algorithm: '{}' is not known; use one of {}",
                             config.learner.algorithm, fmt::join(names, ", ")));
}

}  // namespace outerloop::meta
