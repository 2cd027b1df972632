#include "outerloop/train/build_info.h"

namespace outerloop::train {

std::string_view build_version() {
  return OUTERLOOP_VERSION;
}

}  // namespace outerloop::train
