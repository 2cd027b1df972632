#pragma once

#include "reference/sine.h"

namespace outerloop::reference {

// Groups imaml/K<steps> and imaml_converged of maml_sine.
void check_imaml(Context& context, const SineFile& file, const std::string& group, int64_t steps);
void check_imaml_converged(Context& context, const SineFile& file, const std::string& group);

}  // namespace outerloop::reference
