#include "train/task_inputs.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

const TensorType kKeyType{DType::i32, Shape{4}};

void copy_content(const Tensor& from, Tensor& to) {
  if (from.bytes() > 0) std::memcpy(to.data(), from.data(), from.bytes());
}

void copy_one(const Tensor& from, Tensor& to, const char* name) {
  if (from.bytes() != to.bytes()) {
    throw BadInput(fmt::format("{} is {}, this learner was prepared for {}", name,
                               to_string(from.shape()), to_string(to.shape())));
  }
  copy_content(from, to);
}

}  // namespace

void write_dropout_key(const data::TaskKey& key, std::span<int32_t> words) {
  words[0] = static_cast<int32_t>(key.seed & 0xFFFFFFFFu);
  words[1] = static_cast<int32_t>(key.seed >> 32);
  words[2] = static_cast<int32_t>(key.iteration & 0xFFFFFFFFu);
  words[3] = static_cast<int32_t>(key.slot);
}

TaskInputs::TaskInputs(const data::EpisodeSpec& spec)
    : episode_(spec), buffers_(episode_.buffers()), dropout_key_(kKeyType.dtype, kKeyType.shape) {}

void TaskInputs::draw(const data::TaskFamily& family, const data::TaskKey& key) {
  family.draw(key, buffers_);
  write_dropout_key(key, dropout_key_.as<int32_t>());
}

void TaskInputs::copy(const data::Episode& episode, const data::TaskKey& key) {
  copy_support(episode, key);
  copy_one(episode.query_x, episode_.query_x, "query_x");
  copy_one(episode.query_y, episode_.query_y, "query_y");
}

void TaskInputs::copy(const TaskInputs& drawn) {
  copy_content(drawn.episode_.support_x, episode_.support_x);
  copy_content(drawn.episode_.support_y, episode_.support_y);
  copy_content(drawn.episode_.query_x, episode_.query_x);
  copy_content(drawn.episode_.query_y, episode_.query_y);
  if (!episode_.minibatches.empty()) {
    copy_content(drawn.episode_.minibatches, episode_.minibatches);
  }
  copy_content(drawn.dropout_key_, dropout_key_);
}

void TaskInputs::copy_support(const data::Episode& episode, const data::TaskKey& key) {
  copy_one(episode.support_x, episode_.support_x, "support_x");
  copy_one(episode.support_y, episode_.support_y, "support_y");
  if (!episode_.minibatches.empty()) {
    copy_one(episode.minibatches, episode_.minibatches, "minibatches");
  }
  write_dropout_key(key, dropout_key_.as<int32_t>());
}

const void* TaskInputs::find(const std::string& name, const TensorType& type,
                             int64_t first_step) const {
  if (name == "minibatch") {
    const int64_t rows = type.shape[type.shape.rank() - 1];
    return episode_.minibatches.as<int32_t>().data() + first_step * rows;
  }
  const std::array<std::pair<const char*, const Tensor*>, 5> inputs{{
      {"support_x", &episode_.support_x},
      {"support_y", &episode_.support_y},
      {"query_x", &episode_.query_x},
      {"query_y", &episode_.query_y},
      {"dropout_key", &dropout_key_},
  }};
  for (const auto& [known, tensor] : inputs) {
    if (name == known) return tensor->data();
  }
  return nullptr;
}

size_t TaskInputs::bytes(const data::EpisodeSpec& spec) {
  const auto bytes_of = [](const data::TensorSpec& tensor) {
    return TensorType{tensor.dtype, tensor.shape}.bytes();
  };
  return bytes_of(spec.support_x) + bytes_of(spec.support_y) + bytes_of(spec.query_x) +
         bytes_of(spec.query_y) + (spec.minibatches ? bytes_of(*spec.minibatches) : 0) +
         kKeyType.bytes();
}

}  // namespace outerloop::train
