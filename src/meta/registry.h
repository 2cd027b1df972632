#pragma once

#include "outerloop/meta/learner.h"

namespace outerloop::meta {

using MakeLearner = Learner(const config::Config& config, const TaskShape& shape);

MakeLearner make_anil, make_boil, make_fomaml, make_imaml, make_learned_optimizer, make_maml,
    make_mamlpp, make_meta_sgd, make_protonet, make_r2d2, make_reptile;

}  // namespace outerloop::meta
