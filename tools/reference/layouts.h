#pragma once

#include "reference/layout.h"

namespace outerloop::reference {

using Matches = bool(const StoredFile& file);
using Check = void(Context& context);

Matches is_derivatives, is_explain, is_importance_file, is_learned_opt, is_maml_conv4, is_maml_sine,
    is_metric;
Check check_derivatives, check_explain, check_importance_file, check_learned_opt, check_maml_conv4,
    check_maml_sine, check_metric;

bool is_importance(const Document& document);
bool is_metrics(const Document& document);
void check_importance(const Document& document, Report& report);
void check_metrics(const Document& document, Report& report);

}  // namespace outerloop::reference
