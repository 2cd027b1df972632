#pragma once

#include <cstdint>

namespace outerloop {

// Below which Student's t with `freedom` degrees falls with probability p. 0 < p < 1, freedom >= 1.
// Abramowitz and Stegun 26.7.3, 26.7.4 (finite sums) and 26.7.5 (many degrees); 1e-13 relative for
// p from 0.001 to 0.999, toward the ends about 1e-16 / min(p, 1 - p).
double student_t_quantile(double p, int64_t freedom);

}  // namespace outerloop
