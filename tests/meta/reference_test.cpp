// The layouts of check_reference on the reduced golden files: every quantity within its tolerance,
// and a learner without second order does not pass.

#include <gtest/gtest.h>

#include "meta/golden_files.h"
#include "outerloop/meta/plan.h"
#include "reference/layout.h"
#include "reference/sine.h"

namespace outerloop::reference {
namespace {

class GoldenFile : public testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(GoldenFile, IsRecomputed) {
  const auto& [name, dtype] = GetParam();
  const StoredFile file = golden_file(name);
  ProgramRunner runner(compiled());
  Report report;
  Context context{file, dtype, runner, report};
  layout_of(file).check(context);
  EXPECT_GT(report.quantities().size(), 20u);
  for (const Quantity& quantity : report.quantities()) {
    EXPECT_LE(quantity.error, quantity.tolerance) << quantity.name;
  }
  report.set_unread(file.unread());
  EXPECT_TRUE(report.passes());
  // Beside sizes and seeds that other numbers tell, none is passed over.
  for (const std::string& path : file.unread()) EXPECT_TRUE(path.starts_with("hyper/")) << path;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenFile,
                         testing::Combine(testing::ValuesIn(golden_files_of_programs()),
                                          testing::Values(DType::f64, DType::f32)),
                         golden_name);

// Mean gradient of a learner over the regression tasks, three steps.
Tree mean_gradient(Context& context, const SineFile& file, const std::string& algorithm) {
  config::Config config = file.config_of(context, "relu");
  config.learner.algorithm = algorithm;
  config.inner.steps = 3;
  const meta::TaskShape& shape = file.tasks.shape;
  const meta::Learner learner = meta::make_learner(config, shape);
  const auto plan = meta::make_gradient_plan(learner, shape, context.dtype);
  Tree tasks;
  for (const NamedTensors& task : file.tasks.inputs) {
    NamedTensors inputs = file.theta;
    inputs.insert(task.begin(), task.end());
    append(tasks, file.network, run_gradient(plan, inputs, context.runner), "grad/", file.theta);
  }
  return mean_over_tasks(tasks, file.tasks.count);
}

double distance(const Tree& a, const Tree& b) {
  std::vector<double> differences;
  for (const auto& [name, values] : a) {
    for (size_t i = 0; i < values.size(); ++i) {
      differences.push_back(values[i] - b.at(name)[i]);
    }
  }
  return norm_of(differences);
}

TEST(SecondOrder, IsWhatSeparatesExactFromFirstOrder) {
  const StoredFile file = golden_file("maml_sine");
  ProgramRunner runner(compiled());
  Report report;
  Context context{file, DType::f64, runner, report};
  const SineFile sine(context, "theta", "data");
  Tree exact;
  Tree first_order;
  for (const auto& [stored, own] : sine.network.names) {
    exact[stored] = context.expected("relu/exact/K3/grad/" + stored);
    first_order[stored] = context.expected("relu/first_order/K3/grad/" + stored);
  }
  const double apart = distance(exact, first_order);
  const Tree got = mean_gradient(context, sine, "maml");
  EXPECT_LT(distance(got, exact), 1e-9 * apart);
  EXPECT_NEAR(distance(got, mean_gradient(context, sine, "fomaml")), apart, 1e-9 * apart);
  // The difference is no rounding error: switching second order off fails every tolerance above.
  EXPECT_GT(apart, 0.01);
}

TEST(Report, CountsWhatIsPastItsTolerance) {
  Report report;
  const std::vector<double> expected = {3, 4};
  report.relative("close", std::vector<double>{3, 4 + 5e-9}, expected, 1e-8);
  EXPECT_TRUE(report.passes());
  report.absolute("far", std::vector<double>{3, 4.1}, expected, 0.01);
  EXPECT_FALSE(report.passes());
  EXPECT_EQ(report.worst().name, "far");
  EXPECT_NEAR(report.worst().error, 0.1, 1e-12);
  report.relative("nan", std::vector<double>{3, std::nan("")}, expected, 1e-8);
  EXPECT_EQ(report.worst().name, "nan");
  EXPECT_NE(as_text(report).find("3 quantities, 2 past their tolerance"), std::string::npos);
  EXPECT_NE(as_json(report, "f", "l", "f64").find("\"passes\": false"), std::string::npos);
}

TEST(Report, NeverForgetsNan) {
  const double nan = std::nan("");
  const std::vector<double> got = {1, 1, 1};
  const std::vector<double> stored[] = {{nan, 1, 1}, {1, nan, 1}, {1, 1, nan}, {5, nan, 1},
                                        {nan, 5, 1}, {1, nan, 5}, {5, 1, nan}};
  for (const std::vector<double>& expected : stored) {
    Report report;
    report.absolute("absolute", got, expected, 1e9);
    report.absolute("the other way round", expected, got, 1e9);
    report.relative("relative", got, expected, 1e9);
    report.scaled("scaled", got, expected, 1, 1e9);
    for (const Quantity& quantity : report.quantities()) {
      EXPECT_TRUE(std::isinf(quantity.error)) << quantity.name;
      EXPECT_FALSE(quantity.passes()) << quantity.name;
    }
  }
}

TEST(Report, FailsForWhatIsUnreadInAGroup) {
  using Paths = std::vector<std::string>;
  Report report;
  report.absolute("a/b", std::vector<double>{1}, std::vector<double>{1}, 0);
  report.add_group("a", {"note"});
  report.set_unread({"a/note", "ab", "b/a/b"});
  EXPECT_EQ(report.unchecked(), Paths());
  EXPECT_TRUE(report.passes());
  report.set_unread({"a/c/d", "a/c/note", "a/note", "ab"});
  EXPECT_EQ(report.unchecked(), Paths({"a/c/d", "a/c/note"}));
  EXPECT_FALSE(report.passes());
  EXPECT_NE(as_text(report).find("FAIL a/c/d "), std::string::npos);
}

}  // namespace
}  // namespace outerloop::reference
