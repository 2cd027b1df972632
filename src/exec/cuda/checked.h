#pragma once
// Every call of the driver and of NVRTC goes through OL_CHECKED: a result other than success is
// thrown with the expression, its place and the library's own words.

#include <fmt/format.h>

#include <string>

#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {

class CudaFailure : public SystemFailure {
 public:
  using SystemFailure::SystemFailure;
};

template <class Result, class Describe>
void check(Result result, const char* expression, const char* file, int line, Describe&& describe) {
  if (result == Result{}) return;
  throw CudaFailure(
      fmt::format("{} failed at {}:{}: {}", expression, file, line, std::string(describe(result))));
}

}  // namespace outerloop::exec::cuda

// `describe` turns a result into words; success is zero in both libraries.
#define OL_CHECKED(expression, describe) \
  ::outerloop::exec::cuda::check((expression), #expression, __FILE__, __LINE__, describe)
