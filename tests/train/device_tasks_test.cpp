// Tasks that a device draws: those of the host, bit by bit.

#include "train/device_tasks.h"

#include <cstring>

#include "data/draws.h"
#include "data/every_family.h"
#include "exec/cuda/test_device.h"
#include "train/task_inputs.h"

namespace outerloop::train {
namespace {

using data::Bits;
using data::DrawingOperand;

constexpr int64_t kTasks = 3;

// The tasks of one family, drawn there and fetched.
class Drawn {
 public:
  Drawn(const std::shared_ptr<exec::Device>& device,
        const std::shared_ptr<const data::TaskFamily>& family)
      : device_(device), data_(device), tasks_(device, data_, family), spec_(family->spec()) {
    key_ = device->allocate(sizeof(data::LaneKey));
    step_ = device->allocate(sizeof(uint32_t));
    const bool named = tasks_.images() != nullptr;
    add(DrawingOperand::support_x, bytes_of(spec_.support_x, named));
    add(DrawingOperand::query_x, bytes_of(spec_.query_x, named));
    add(DrawingOperand::support_y, bytes_of(spec_.support_y));
    add(DrawingOperand::query_y, bytes_of(spec_.query_y));
    add(DrawingOperand::minibatches, spec_.minibatches ? bytes_of(*spec_.minibatches) : 0);
    add(DrawingOperand::dropout_key, 4 * sizeof(int32_t));
    if (!named) return;
    support_ = device->allocate(bytes_of(spec_.support_x) * kTasks);
    query_ = device->allocate(bytes_of(spec_.query_x) * kTasks);
  }

  void draw(const data::TaskKey& first, uint32_t step) {
    const data::LaneKey key = data::lane_key(first);
    device_->upload(stream_, key_.data, std::as_bytes(std::span(&key, 1)));
    device_->upload(stream_, step_.data, std::as_bytes(std::span(&step, 1)));
    DeviceTasks::Operands operands = operands_;
    DeviceTasks::at(operands, DrawingOperand::key) = {key_.data, 0};
    DeviceTasks::at(operands, DrawingOperand::step) = {step_.data, 0};
    tasks_.draw(stream_, kTasks, operands);
    if (tasks_.images() == nullptr) return;
    fetch_images(DrawingOperand::support_x, spec_.support_x, support_);
    fetch_images(DrawingOperand::query_x, spec_.query_x, query_);
  }

  // As data::bits() has an episode, and its dropout key.
  Bits bits(int64_t task) {
    Bits all;
    const auto append = [&](const std::byte* from, size_t bytes) {
      Bits part(bytes);
      if (bytes > 0) device_->download(stream_, part, from + static_cast<size_t>(task) * bytes);
      device_->synchronize(stream_);
      all.insert(all.end(), part.begin(), part.end());
    };
    const auto append_operand = [&](DrawingOperand which) {
      const exec::DeviceOperand& operand = DeviceTasks::at(operands_, which);
      append(operand.base, static_cast<size_t>(operand.lane_stride));
    };
    const auto append_x = [&](DrawingOperand which, const data::TensorSpec& x,
                              const exec::DeviceMemory& images) {
      images.data == nullptr ? append_operand(which) : append(images.data, bytes_of(x));
    };
    append_x(DrawingOperand::support_x, spec_.support_x, support_);
    append_operand(DrawingOperand::support_y);
    append_x(DrawingOperand::query_x, spec_.query_x, query_);
    append_operand(DrawingOperand::query_y);
    append_operand(DrawingOperand::minibatches);
    append_operand(DrawingOperand::dropout_key);
    return all;
  }

 private:
  static size_t bytes_of(const data::TensorSpec& spec, bool named = false) {
    return named ? static_cast<size_t>(spec.shape[0]) * sizeof(int32_t)
                 : TensorType{spec.dtype, spec.shape}.bytes();
  }
  void add(DrawingOperand which, size_t task_bytes) {
    const exec::DeviceMemory& memory = memory_.emplace_back(device_->allocate(kTasks * task_bytes));
    DeviceTasks::at(operands_, which) = {memory.data, static_cast<int64_t>(task_bytes)};
  }
  void fetch_images(DrawingOperand names, const data::TensorSpec& x,
                    const exec::DeviceMemory& values) {
    tasks_.images()->run(stream_, kTasks, x.shape[0], DeviceTasks::at(operands_, names),
                         {values.data, static_cast<int64_t>(bytes_of(x))});
  }

  std::shared_ptr<exec::Device> device_;
  exec::DeviceStream stream_ = device_->make_stream();
  DeviceData data_;
  DeviceTasks tasks_;
  data::EpisodeSpec spec_;
  exec::DeviceMemory key_, step_, support_, query_;
  std::vector<exec::DeviceMemory> memory_;
  DeviceTasks::Operands operands_{};
};

Bits on_host(const data::TaskFamily& family, const data::TaskKey& key) {
  Bits all = data::bits(data::drawn(family, key));
  std::vector<int32_t> dropout(4);
  write_dropout_key(key, dropout);
  const auto bytes = std::as_bytes(std::span(dropout));
  all.insert(all.end(), bytes.begin(), bytes.end());
  return all;
}

TEST(DeviceTasks, AreTheHostsBitByBit) {
  const auto device = testing_support::test_device();
  std::vector<std::unique_ptr<Drawn>> drawn;
  const std::vector<data::NamedFamily> families = data::every_family();
  // All kernels are there before the first is run.
  for (const auto& [name, family] : families) {
    drawn.push_back(std::make_unique<Drawn>(device, family));
  }
  for (size_t f = 0; f < families.size(); ++f) {
    const auto& [name, family] = families[f];
    for (const data::Split split : data::kSplits) {
      for (const uint64_t iteration : {uint64_t{0}, uint64_t{0xFFFFFFFE}, uint64_t{1} << 47}) {
        for (const uint32_t slot : {0U, 7U, 1000U}) {
          const uint32_t step = slot % 5;
          data::TaskKey key{
              .seed = 0xFEDCBA9876543210U + slot, .split = split, .iteration = iteration};
          key.slot = slot;
          drawn[f]->draw(key, step);
          key.iteration += step;
          for (int64_t task = 0; task < kTasks; ++task, ++key.slot) {
            const Bits got = drawn[f]->bits(task), expected = on_host(*family, key);
            ASSERT_EQ(got.size(), expected.size()) << name;
            ASSERT_EQ(0, std::memcmp(got.data(), expected.data(), got.size()))
                << name << ", " << data::name_of(split) << ", iteration " << key.iteration
                << ", slot " << key.slot;
          }
        }
      }
    }
  }
}

// A family that has no drawing for devices says so.
TEST(DeviceTasks, OfAFamilyOfTheHostAloneAreRefused) {
  class OfTheHost : public data::TaskFamily {
   public:
    OfTheHost() : TaskFamily({}, data::make_sinusoid({})->spec()) {}
    data::TaskDescription describe(const data::TaskKey&) const override { return {}; }

   private:
    void draw_task(const data::TaskKey&, const data::EpisodeBuffers&) const override {}
  };
  const auto device = testing_support::test_device();
  DeviceData data(device);
  EXPECT_THROW(DeviceTasks(device, data, std::make_shared<OfTheHost>()), BadInput);
}

}  // namespace
}  // namespace outerloop::train
