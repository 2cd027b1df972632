#pragma once

namespace outerloop::data {

struct Range {
  float low = 0;
  float high = 1;
};

}  // namespace outerloop::data
