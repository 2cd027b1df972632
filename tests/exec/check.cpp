#include "exec/check.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "outerloop/exec/oracle.h"

namespace outerloop::testing_support {

void expect_same_bits(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual,
                      const std::string& what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(expected[i].shape(), actual[i].shape()) << what;
    const auto a = expected[i].to_doubles();
    const auto b = actual[i].to_doubles();
    for (size_t k = 0; k < a.size(); ++k) {
      const bool same = std::bit_cast<uint64_t>(a[k]) == std::bit_cast<uint64_t>(b[k]);
      ASSERT_TRUE(same || (std::isnan(a[k]) && std::isnan(b[k])))
          << what << ": output " << i << " " << to_string(expected[i].shape()) << " element " << k
          << ": expected " << a[k] << ", got " << b[k];
    }
  }
}

namespace {

struct Without {
  const char* text;
  bool (*removes)(const passes::Pass& pass);
};
// Fusion alone meets what the other passes would have cleaned up.
constexpr Without kWithout[] = {
    {"", [](const passes::Pass&) { return false; }},
    {" without optional passes", [](const passes::Pass&) { return true; }},
    {" with fusion alone",
     [](const passes::Pass& pass) { return pass.name != "fuse_elementwise"; }},
};

}  // namespace

void check_against_oracle(const Program& program, const std::vector<Tensor>& inputs,
                          const std::string& what) {
  const std::vector<Tensor> expected = exec::interpret(program, inputs);
  for (const exec::Isa isa : exec::runnable_isas()) {
    for (const Without& without : kWithout) {
      exec::CompileOptions options{.isa = isa};
      for (const passes::Pass& pass : passes::pipeline()) {
        if (!pass.required && without.removes(pass))
          options.passes.disabled.emplace_back(pass.name);
      }
      const auto executable = exec::Executable::compile(program, options);
      expect_same_bits(expected, exec::run_once(executable, inputs),
                       what + " " + std::string(exec::name_of(isa)) + without.text);
    }
  }
}

}  // namespace outerloop::testing_support
