#pragma once
// Which GPU a rank computes on.

#include <memory>
#include <string>
#include <vector>

#include "outerloop/comm/communicator.h"
#include "outerloop/config/config.h"
#include "outerloop/exec/device.h"

namespace outerloop::train {

// Throws BadInput where the processor and runtime.numerics=fast are asked for, which it does not
// do. What there is on this machine is not looked at.
void check_device(const config::Config& config);

// By runtime.device, with the products of runtime.numerics; null: the processor, whose products are
// ordered. The ranks of a host take the GPUs that they see in turn. Collective: throws the same on
// all ranks where one cannot have what is asked for, or where some have a GPU and others none.
// `ranks` may be null: this process alone. With ranks, `notes` are lines for people, the same on
// all: hosts with more GPUs than ranks, and drivers that do not work, for which device=auto takes
// the processor.
std::shared_ptr<exec::Device> choose_device(const config::Config& config, comm::Communicator* ranks,
                                            std::vector<std::string>* notes = nullptr);

// For people: the GPU's name, or "cpu".
std::string name_of(const exec::Device* device);

}  // namespace outerloop::train
