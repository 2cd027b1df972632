#pragma once
// Words that change how a stored run is tested.

#include <span>
#include <string>
#include <vector>

#include "outerloop/config/read.h"

namespace outerloop::train {

// key=value words that change how tasks are drawn and solved, not what was learned. Keys of
// training become the keys of test that stand for them: tasks.ways is test.ways. The tables in the
// source name all of both. BadInput on others, which tells what can be set.
std::vector<std::string> protocol_overrides(std::span<const std::string> words);

// What is wrong with the words, by the keys that were written: "tasks.ways, here test.ways: …".
config::ConfigErrors by_written_keys(const config::ConfigErrors& refused,
                                     std::span<const std::string> words);

}  // namespace outerloop::train
