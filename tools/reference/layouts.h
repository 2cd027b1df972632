#pragma once

#include "reference/layout.h"

namespace outerloop::reference {

using Matches = bool(const io::Hdf5File& file);
using Check = void(Context& context);

Matches is_derivatives, is_learned_opt, is_maml_conv4, is_maml_sine, is_metric;
Check check_derivatives, check_learned_opt, check_maml_conv4, check_maml_sine, check_metric;

}  // namespace outerloop::reference
