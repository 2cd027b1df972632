#pragma once
// A sweep's folder with a base config and specs beside it.

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/sweep/state.h"

namespace outerloop::sweep {

class SweepTest : public testing::Test {
 protected:
  SweepTest() { write("base.yaml", "outer: {iterations: 5}\n"); }

  std::filesystem::path write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  Plan plan(const std::string& spec) {
    return read_spec(write("spec.yaml", "config: base.yaml\n" + spec), sweep_);
  }
  static std::vector<std::string> words(const Plan& plan) {
    std::vector<std::string> result;
    for (const Point& point : plan.points) result.push_back(words_of(point));
    return result;
  }

  TemporaryFolder folder_;
  SweepFolder sweep_{folder_ / "sweep"};
};

}  // namespace outerloop::sweep
