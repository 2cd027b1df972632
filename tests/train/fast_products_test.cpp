// Trainings with fast products, made by a stand-in for cuBLAS: what they compute, what says so, and
// what refuses them.

#include <dlfcn.h>

#include <cmath>

#include "exec/cuda/fake_cublas.h"
#include "exec/cuda/multiplying_device.h"
#include "outerloop/base/error.h"
#include "outerloop/train/evaluate_run.h"
#include "outerloop/train/forecast.h"
#include "outerloop/train/replay.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

exec::cuda::FakeCublas& fake() {
  using exec::cuda::FakeCublas;
  static const auto find = reinterpret_cast<FakeCublas* (*)()>(
      dlsym(dlopen(OUTERLOOP_FAKE_CUBLAS, RTLD_NOW), "fake_cublas"));
  return *find();
}

// Tasks are more than one kernel there.
class SmallDevice : public testing_support::MultiplyingDevice {
 public:
  using MultiplyingDevice::MultiplyingDevice;
  exec::DeviceLimits limits() const override { return {.shared_bytes_on_request = 0}; }
};

class FastTraining : public testing::Test {
 protected:
  config::Resolved config(const std::string& name, const Words& words = {}) const {
    return shipped("sinusoid_maml", folder_ / name,
                   tiny_sinusoid() +
                       Words{"outer.iterations=4", "validation.every=0", "test.tasks=0",
                             "report.write=false", "runtime.threads=1"} +
                       words);
  }

  std::vector<double> trained(const std::string& name) const {
    std::vector<double> values;
    for (const io::NamedTensor& tensor :
         checkpoint::read_checkpoint(newest_checkpoint(folder_ / name)).parameters) {
      const auto numbers = tensor.value.to_doubles();
      values.insert(values.end(), numbers.begin(), numbers.end());
    }
    return values;
  }

  std::string refusal(const config::Resolved& resolved, const TrainOptions& options = {}) const {
    try {
      train(resolved, options);
    } catch (const BadInput& error) {
      return error.what();
    }
    return "none";
  }

  TemporaryFolder folder_;
  std::shared_ptr<exec::Device> device_ =
      std::make_shared<SmallDevice>(exec::cuda::Products::float32);
};

const Words kFast{"runtime.numerics=fast", "runtime.device=cuda"};

TEST_F(FastTraining, DiffersByRoundingAloneAndSaysWhatItIs) {
  train(config("ordered"), {});
  fake().gemms.clear();
  train(config("fast", kFast), {.device = device_});
  EXPECT_GT(fake().gemms.size(), 4 * 4u);
  const std::vector<double> expected = trained("ordered"), got = trained("fast");
  ASSERT_EQ(got.size(), expected.size());
  EXPECT_NE(got, expected);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-4);
  const auto manifest = nlohmann::json::parse(read_file(RunFolder{folder_ / "fast"}.manifest()));
  EXPECT_EQ(manifest.at("numerics"), "fast");
  EXPECT_EQ(manifest.at("precision"), "float32");
  EXPECT_EQ(manifest.at("device"), "host, cuBLAS 13.2.3, products in float32");
  const auto stored = checkpoint::read_checkpoint(newest_checkpoint(folder_ / "fast"));
  EXPECT_NE(stored.config.find("numerics: fast"), std::string::npos) << stored.config;
}

TEST_F(FastTraining, IsTheSameEachTime) {
  for (const char* name : {"one", "other"}) train(config(name, kFast), {.device = device_});
  EXPECT_TRUE(
      same_checkpoints(newest_checkpoint(folder_ / "one"), newest_checkpoint(folder_ / "other")));
}

TEST_F(FastTraining, IsNotMixedWithAnOrderedOne) {
  train_until(config("run"), 2);
  const std::string words = refusal(config("run", kFast), {.device = device_});
  EXPECT_NE(words.find("runtime.numerics was ordered and is now fast"), words.npos) << words;
}

TEST_F(FastTraining, NeedsAGpu) {
  for (const char* device : {"cpu", "auto"}) {
    if (device == std::string("auto") && !exec::cuda::visible_devices().empty()) continue;
    const std::string words =
        refusal(config("run", {"runtime.numerics=fast", std::string("runtime.device=") + device}));
    EXPECT_EQ(words.find("runtime.numerics=fast: fast products are a GPU's, and runtime.device="),
              0u)
        << words;
    EXPECT_EQ(words.find('\n'), words.npos) << words;
  }
}

TEST_F(FastTraining, IsRefusedByAForecastForTheProcessor) {
  const config::Resolved resolved = config("run", {"runtime.numerics=fast", "runtime.device=cpu"});
  try {
    forecast_memory(resolved);
    FAIL() << "foreseen";
  } catch (const BadInput& error) {
    EXPECT_EQ(error.what(), refusal(resolved));
  }
  EXPECT_GT(forecast_memory(config("run", kFast)).parameters, 0) << "a GPU may be elsewhere";
}

TEST_F(FastTraining, IsEvaluatedByWhatTheWordsSay) {
  // Answers that are large enough for their rounding to show in the loss.
  train(config("run", kFast + Words{"model.init=he", "model.head_init=he"}), {.device = device_});
  const auto evaluated = [&](const Words& words, const std::shared_ptr<exec::Device>& device) {
    return nlohmann::json::parse(to_json_text(
        evaluate_run(folder_ / "run", {.tasks = 40, .overrides = words, .device = device})));
  };
  fake().gemms.clear();
  const auto ordered = evaluated({}, nullptr);
  EXPECT_EQ(ordered.at("numerics"), "ordered") << "the processor's";
  EXPECT_EQ(fake().gemms.size(), 0u);
  const auto fast = evaluated({"runtime.device=cuda"}, device_);
  EXPECT_EQ(fast.at("numerics"), "fast");
  EXPECT_GT(fake().gemms.size(), 0u);
  const double loss = ordered["loss"]["mean"];
  EXPECT_NE(fast["curve"], ordered["curve"]);
  EXPECT_NEAR(fast["loss"]["mean"], loss, 1e-4 * loss);
  try {
    evaluated({"runtime.numerics=fast"}, nullptr);
    FAIL() << "evaluated";
  } catch (const BadInput& error) {
    EXPECT_EQ(std::string(error.what()).find("runtime.numerics=fast: fast products are a GPU's"),
              0u)
        << error.what();
  }
}

TEST_F(FastTraining, SaysOnceWhereItDoesNothing) {
  const auto large =
      std::make_shared<testing_support::MultiplyingDevice>(exec::cuda::Products::float32);
  for (const auto& [name, device, times] :
       std::vector<std::tuple<std::string, std::shared_ptr<exec::Device>, int>>{
           {"kernels", device_, 0}, {"one_kernel", large, 1}}) {
    Log log;
    int said = 0;
    log.add(LogLevel::info, [&](LogLevel, std::string_view message) {
      said += message.starts_with("runtime.numerics=fast does nothing here") ? 1 : 0;
    });
    train(config(name, kFast), {.log = &log, .device = device});
    EXPECT_EQ(said, times) << name;
  }
}

TEST_F(FastTraining, IsNotReplayed) {
  train(config("run", kFast + Words{"log.hashes=true"}), {.device = device_});
  try {
    replay(folder_ / "run", 2, 0);
    FAIL() << "replayed";
  } catch (const BadInput& error) {
    EXPECT_NE(std::string(error.what()).find("runtime.numerics=fast"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace outerloop::train
