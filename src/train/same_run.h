#pragma once
// Whether a training may go on from a checkpoint.

#include <filesystem>
#include <string>

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/config/config.h"

namespace outerloop::train {

// Throws BadInput, one line that lists the differing keys, when the checkpoint's config gives other
// results than `config`, or when the data set has changed. The same data may lie elsewhere, the
// test may have another size, and a run may be made longer or shorter: outer.iterations may differ
// unless the rate's schedule depends on it. `source` is where `found` was read, for messages: the
// folder of a run, or the checkpoint file that the user named.
void check_same_run(const checkpoint::Checkpoint& found, const std::filesystem::path& source,
                    const config::Config& config, const std::string& dataset_fingerprint);

}  // namespace outerloop::train
