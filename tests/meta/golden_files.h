#pragma once
// The reference files of this repository whose quantities programs compute.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "reference/stored_file.h"

namespace outerloop::reference {

inline std::vector<std::string> golden_files_of_programs() {
  return {"derivatives",
          "learned_opt",
          "maml_conv4",
          "maml_sine",
          "protonet",
          "r2d2",
          "other_sizes/derivatives",
          "other_sizes/maml_sine"};
}

inline StoredFile golden_file(const std::string& name) {
  return StoredFile(OUTERLOOP_SOURCE_DIR "/tests/reference/" + name + ".h5");
}

inline std::string golden_name(const testing::TestParamInfo<std::tuple<std::string, DType>>& info) {
  std::string name = std::get<0>(info.param);
  std::ranges::replace(name, '/', '_');
  return name + "_" + std::string(name_of(std::get<1>(info.param)));
}

}  // namespace outerloop::reference
