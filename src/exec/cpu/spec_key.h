#pragma once
// A description of a kernel as bytes, so that equal ones are compiled once.

#include <string>

#include "exec/cpu/kernel.h"

namespace outerloop::exec {

std::string key_of(const LoopSpec& spec);
std::string key_of(const MatmulSpec& spec);
std::string key_of(const ConvSpec& spec);

}  // namespace outerloop::exec
