#pragma once

namespace outerloop::report {

// The style sheet of the page, for light and dark screens.
extern const char* const kStyle;

}  // namespace outerloop::report
