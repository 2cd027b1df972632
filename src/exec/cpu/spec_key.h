#pragma once
// A spec as bytes, so that equal ones are compiled once.

#include <string>

#include "exec/cpu/copy.h"
#include "exec/cpu/kernel.h"

namespace outerloop::exec {

std::string key_of(const LoopSpec& spec);
std::string key_of(const MatmulSpec& spec);
std::string key_of(const ConvSpec& spec);
std::string key_of(const MoveSpec& spec);
std::string key_of(const RowsSpec& spec);

}  // namespace outerloop::exec
