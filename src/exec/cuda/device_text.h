#pragma once
// The headers of exec/cuda/device as text, in an order in which they can be compiled.

#include <span>
#include <string_view>

namespace outerloop::exec::cuda {

std::span<const std::string_view> device_headers();

}  // namespace outerloop::exec::cuda
