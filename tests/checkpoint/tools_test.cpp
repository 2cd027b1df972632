#include "outerloop/checkpoint/tools.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "checkpoint/example.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "support/message_of.h"

namespace outerloop::checkpoint {
namespace {

TEST(Diff, NamesTheFirstDifferingTensorAndItsNumbers) {
  const Checkpoint a = example(3);
  Checkpoint b = deep_copy(a);
  std::span<float> bias = b.parameters[1].value.as<float>();
  const std::vector<double> before = a.parameters[1].value.to_doubles();
  bias[2] += 0.5F;
  bias[5] -= 0.25F;
  const Difference difference = diff(a, b);
  ASSERT_EQ(difference.tensors.size(), 1u);
  EXPECT_TRUE(difference.fields.empty());
  const TensorDifference& tensor = difference.tensors[0];
  EXPECT_EQ(tensor.name, "parameters/net/layer2/bias");
  EXPECT_EQ(tensor.elements, 2);

  double between = 0, of_a = 0, of_b = 0, product = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    between += std::pow(before[i] - bias[i], 2);
    of_a += before[i] * before[i];
    of_b += double{bias[i]} * bias[i];
    product += before[i] * bias[i];
  }
  EXPECT_NEAR(tensor.largest, 0.5, 1e-6);
  EXPECT_NEAR(tensor.relative, std::sqrt(between / of_b), 1e-12);
  EXPECT_NEAR(tensor.cosine.value(), product / std::sqrt(of_a * of_b), 1e-12);
  EXPECT_CONTAINS(to_text(difference),
                  "first differing tensor: parameters/net/layer2/bias: 2 elements differ");
}

TEST(Diff, SeesOneBitAndTheSignOfZero) {
  const Checkpoint a = example(3);
  Checkpoint b = deep_copy(a);
  b.state[0].value.as<double>()[1] = 0.0;  // was -0.0
  ASSERT_EQ(diff(a, b).tensors.size(), 1u);
  EXPECT_EQ(diff(a, b).tensors[0].name, "state/window");
  EXPECT_EQ(diff(a, b).tensors[0].largest, 0);
}

TEST(Diff, AgainstZeroHasNoDirection) {
  const Checkpoint a = example(3);
  Checkpoint b = deep_copy(a);
  Tensor& zeroed = b.parameters[0].value;
  std::ranges::fill(zeroed.as<float>(), 0.0F);
  EXPECT_FALSE(diff(a, b).tensors[0].cosine.has_value());
  EXPECT_TRUE(std::isinf(diff(a, b).tensors[0].relative));
  EXPECT_DOUBLE_EQ(diff(b, a).tensors[0].relative, 1);
  for (const Difference& difference : {diff(a, b), diff(b, a)}) {
    EXPECT_CONTAINS(to_text(difference), ", all zero in one of them\n");
  }
}

TEST(Diff, NotANumberIsAnInfiniteDifference) {
  const Checkpoint a = example(3);
  Checkpoint b = deep_copy(a);
  b.parameters[0].value.as<float>()[0] = std::nanf("");
  EXPECT_TRUE(std::isinf(diff(a, b).tensors[0].largest));
}

TEST(Diff, NamesScalarsShapesAndMissingTensors) {
  const Checkpoint a = example(3);
  Checkpoint b = deep_copy(a);
  b.iteration = 4;
  b.config = "seed: 7\nouter:\n  rate: 0.01\n";
  b.integers.erase("seed");
  b.parameters[0].value = Tensor(DType::f64, {2});
  b.optimizer[0].name = "renamed";
  EXPECT_EQ(diff(a, b).fields,
            (std::vector<std::string>{"iteration: 3 against 4",
                                      "config/yaml: line 3:   rate: 0.001 against   rate: 0.01",
                                      "integers/seed: only in the first checkpoint",
                                      "parameters/net/layer2/weight: f32 (16, 16) against f64 (2)",
                                      "optimizer/m/net/layer2/weight: only in the first checkpoint",
                                      "optimizer/renamed: only in the second checkpoint"}));
  b = deep_copy(a);
  b.config += "more: 1\n";
  EXPECT_EQ(diff(a, b).fields, std::vector<std::string>{"config/yaml: line 4:  against more: 1"});
}

TEST(Show, SummarizesTensors) {
  Checkpoint checkpoint = example(3);
  checkpoint.parameters = {
      {"w", Tensor::from<float>({2, 2}, {1, 2, 3, std::numeric_limits<float>::infinity()})}};
  const std::vector<TensorSummary> tensors = summarize(checkpoint);
  EXPECT_EQ(tensors[0].name, "parameters/w");
  EXPECT_EQ(tensors[0].mean, 2);
  EXPECT_DOUBLE_EQ(tensors[0].deviation, std::sqrt(2.0 / 3));
  EXPECT_EQ(tensors[0].minimum, 1);
  EXPECT_EQ(tensors[0].maximum, 3);
  EXPECT_EQ(tensors[0].not_finite, 1);
  EXPECT_EQ(tensors[0].hash.size(), 16u);
  const std::string text = show(checkpoint);
  EXPECT_CONTAINS(text, "iteration  3\n");
  EXPECT_CONTAINS(text, "config/yaml  (3 lines)\n");
  EXPECT_CONTAINS(text, "parameters/w");
  EXPECT_CONTAINS(text, "1 NOT FINITE");
}

TEST(Average, TakesTheMeanOfParameters) {
  std::vector<Checkpoint> checkpoints = {example(1), example(2), example(3)};
  for (Checkpoint& checkpoint : checkpoints) {
    checkpoint.ema = example(10 + checkpoint.iteration).parameters;
  }
  const std::vector<std::string> paths = {"a", "b", "c"};
  const Checkpoint mean = average(checkpoints, paths);
  for (const auto tree : {&Checkpoint::parameters, &Checkpoint::ema}) {
    ASSERT_EQ((mean.*tree).size(), (checkpoints[0].*tree).size());
    for (size_t t = 0; t < (mean.*tree).size(); ++t) {
      const std::vector<double> values = (mean.*tree)[t].value.to_doubles();
      for (size_t i = 0; i < values.size(); ++i) {
        double sum = 0;
        for (const Checkpoint& checkpoint : checkpoints)
          sum += (checkpoint.*tree)[t].value.to_doubles()[i];
        EXPECT_EQ(values[i], static_cast<double>(static_cast<float>(sum / 3)));
      }
    }
  }
  EXPECT_EQ(mean.iteration, 3);
  const Checkpoint of_one =
      average(std::span(checkpoints).first(1), std::span<const std::string>(paths).first(1));
  EXPECT_EQ(of_one.texts.at("averaged_from"), "iteration 1 of config " + of_one.config_hash);
  EXPECT_TRUE(of_one.optimizer.empty());
  Checkpoint expected = deep_copy(checkpoints[0]);
  expected.optimizer.clear();
  expected.texts = of_one.texts;
  EXPECT_EQ(to_text(diff(of_one, expected)), "identical\n");
}

TEST(Average, RefusesUnlikeCheckpoints) {
  const std::vector<std::string> paths = {"a", "b"};
  const auto refusal = [&paths](const std::vector<Checkpoint>& checkpoints) {
    return message_of<BadInput>([&] { average(checkpoints, paths); });
  };
  EXPECT_EQ(refusal({example(1), example(2, 8)}),
            "b: net/layer2/weight f32 (8, 8), expected net/layer2/weight f32 (16, 16) as in a; "
            "average checkpoints of one model");
  std::vector<Checkpoint> mean_in_one = {example(1), example(2)};
  const size_t tensors = mean_in_one[0].parameters.size();
  mean_in_one[0].ema = example(3).parameters;
  EXPECT_EQ(refusal(mean_in_one),
            fmt::format("b: 0 tensors of the running mean, expected {} as in a; average "
                        "checkpoints of one model",
                        tensors));
  EXPECT_THROW(average({}, {}), BadInput);
}

TEST(Export, WritesParametersUnderTheirPlainNames) {
  const TemporaryFolder folder;
  Checkpoint checkpoint = example(3);
  export_parameters(checkpoint, folder / "a.safetensors", ExportFormat::safetensors);
  EXPECT_CONTAINS(read_file(folder / "a.safetensors"), "\"net/layer2/weight\":{\"dtype\":\"F32\"");
  export_parameters(checkpoint, folder / "a.npz", ExportFormat::npz);
  EXPECT_CONTAINS(read_file(folder / "a.npz"), "net/layer2/weight.npy");
}

TEST(Export, WritesWhatTestsAreMadeWith) {
  const TemporaryFolder folder;
  const Checkpoint plain = example(3), mean = example(4);
  Checkpoint both = deep_copy(plain);
  both.ema = deep_copy(mean).parameters;
  for (const auto& [format, name] :
       {std::pair{ExportFormat::npz, "npz"}, std::pair{ExportFormat::safetensors, "safetensors"}}) {
    const auto written = [&](const Checkpoint& checkpoint, ExportValues values) {
      export_parameters(checkpoint, folder / name, format, values);
      return read_file(folder / name);
    };
    const std::string last = written(plain, ExportValues::last);
    EXPECT_EQ(written(plain, ExportValues::tested), last);
    EXPECT_EQ(written(both, ExportValues::last), last);
    EXPECT_NE(written(both, ExportValues::tested), last);
    both.iteration = mean.iteration;
    EXPECT_EQ(written(both, ExportValues::tested), written(mean, ExportValues::last));
    both.iteration = plain.iteration;
  }
}

TEST(Export, AModelIsACheckpointWithoutTheOptimisersState) {
  const TemporaryFolder folder;
  Checkpoint checkpoint = example(3);
  checkpoint.ema = deep_copy(example(4)).parameters;
  ASSERT_FALSE(checkpoint.optimizer.empty());
  write_file_atomically(folder / "model.h5", "an older file");
  export_parameters(checkpoint, folder / "model.h5", ExportFormat::model);
  export_parameters(checkpoint, folder / "last.h5", ExportFormat::model, ExportValues::last);
  checkpoint.optimizer.clear();
  EXPECT_EQ(to_text(diff(read_checkpoint(folder / "model.h5"), checkpoint)), "identical\n");
  checkpoint.ema.clear();
  EXPECT_EQ(to_text(diff(read_checkpoint(folder / "last.h5"), checkpoint)), "identical\n");
}

}  // namespace
}  // namespace outerloop::checkpoint
