// What binding and running refuse.

#include <gtest/gtest.h>

#include "outerloop/base/error.h"
#include "outerloop/exec/executable.h"
#include "outerloop/ops/ops.h"

namespace outerloop::exec {
namespace {

class Binding : public ::testing::Test {
 protected:
  static Program weighted() {
    Builder builder;
    const Expr w = builder.input("w", {DType::f32, {3}}, outerloop::Binding::shared);
    const Expr x = builder.input("x", {DType::f32, {2, 3}}, outerloop::Binding::per_lane);
    const Expr i = builder.input("i", {DType::i32, {4}}, outerloop::Binding::per_lane);
    builder.output("y", gather(x * broadcast_to(exp(w), {2, 3}), i, 1));
    return builder.finish();
  }

  // The message of the BadInput that `call` throws.
  template <class Call>
  static std::string refusal(Call&& call) {
    try {
      call();
    } catch (const BadInput& error) {
      return error.what();
    }
    return "nothing was refused";
  }

  std::shared_ptr<const Executable> executable_ = Executable::compile(weighted());
  SharedState shared_{executable_};
  Workspace workspace_{executable_->lane_arena_bytes()};
  Instance instance_{executable_, shared_, workspace_};
  Tensor w_{DType::f32, {3}}, x_{DType::f32, {2, 3}}, i_{DType::i32, {4}}, y_{DType::f32, {2, 4}};
};

TEST_F(Binding, RefusesNumbersThatTheProgramHasNot) {
  EXPECT_EQ(refusal([&] { instance_.bind_input(3, x_); }),
            "the program has 3 inputs, there is none of number 3");
  EXPECT_THROW(instance_.bind_input(-1, x_.data()), BadInput);
  EXPECT_THROW(instance_.bind_output(1, y_), BadInput);
  EXPECT_THROW(shared_.bind_input(7, w_.data()), BadInput);
  EXPECT_THROW(instance_.run(0, executable_->lane_kernel_calls() + 1), BadInput);
  EXPECT_THROW(instance_.run(1, 0), BadInput);
}

TEST_F(Binding, RefusesTensorsOfAnotherType) {
  EXPECT_EQ(refusal([&] { instance_.bind_input(1, i_); }),
            "input 'x' of the program is f32(2, 3), came i32(4)");
  EXPECT_THROW(instance_.bind_input(1, Tensor(DType::f64, {2, 3})), BadInput);
  EXPECT_THROW(instance_.bind_input(1, Tensor(DType::f32, {3, 2})), BadInput);
  EXPECT_THROW(instance_.bind_output(0, x_), BadInput);
  EXPECT_THROW(shared_.bind_input(0, x_), BadInput);
}

TEST_F(Binding, RefusesNullAndMisalignedMemory) {
  EXPECT_EQ(refusal([&] { instance_.bind_output(0, nullptr); }),
            "no memory for output 'y' of the program, f32(2, 4)");
  EXPECT_THROW(instance_.bind_input(1, x_.data() + 1), BadInput);
}

TEST_F(Binding, RefusesToRunBeforeEverythingIsBound) {
  EXPECT_EQ(refusal([&] { shared_.run(); }),
            "input 'w' of the program, f32(3), is not bound: bind it before running");
  shared_.bind_input(0, w_);
  shared_.run();
  instance_.bind_input(1, x_);
  instance_.bind_input(2, i_);
  EXPECT_EQ(refusal([&] { instance_.run(); }),
            "output 'y' of the program, f32(2, 4), is not bound: bind it before running");
  std::vector<StepTime> times;
  EXPECT_THROW(instance_.run_timed(times), BadInput);
  instance_.bind_output(0, y_);
  instance_.bind_output(0, y_);
  instance_.run();
}

TEST_F(Binding, RefusesAWorkspaceThatIsTooSmallAndAnotherProgramsState) {
  ASSERT_GT(executable_->lane_arena_bytes(), 0u);
  EXPECT_THROW(Instance(executable_, shared_, Workspace(0)), BadInput);
  const SharedState other(Executable::compile(weighted()));
  EXPECT_THROW(Instance(executable_, other, workspace_), BadInput);
}

}  // namespace
}  // namespace outerloop::exec
