#pragma once

#include <map>
#include <memory>
#include <string>

#include "outerloop/meta/plan.h"

namespace outerloop::meta {

// Makes equal programs one object.
class ProgramCache {
 public:
  Call share(Call call) {
    const auto [place, is_new] = programs_.try_emplace(print(*call.program), call.program);
    call.program = place->second;
    return call;
  }

 private:
  std::map<std::string, std::shared_ptr<const Program>> programs_;
};

}  // namespace outerloop::meta
