#include "config/idle.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "config/value.h"
#include "outerloop/config/algorithms.h"
#include "outerloop/config/schema.h"
#include "outerloop/config/suggest.h"
#include "outerloop/config/word.h"

namespace outerloop::config {
namespace {

// A key, or all keys of a section, and the values of another key with which it is read.
struct KeyReader {
  std::string_view keys;
  std::string_view decider = "learner.algorithm";
  std::string_view values = {};      // "a, b"; empty = all but the default
  bool Algorithm::*trait = nullptr;  // or the algorithms that have it
};

constexpr std::string_view kSpreads = "truncated_normal, normal";

// Of the rows of one key the first that does not hold speaks.
constexpr auto kReaders = std::to_array<KeyReader>({
    {"tasks.dataset", "tasks.family", "images, table"},
    {"tasks.split", "tasks.family", "images"},
    {"tasks.sinusoid", "tasks.family", "sinusoid"},
    {"tasks.harmonic", "tasks.family", "harmonic"},
    {"tasks.table", "tasks.family", "table"},

    {"model.hidden", "model.kind", "mlp"},
    {"model.filters", "model.kind", "conv4"},
    {"model.blocks", "model.kind", "conv4"},
    {"model.pooling", "model.kind", "conv4"},
    {"model.readout", "model.kind", "conv4"},
    {"model.leaky_slope", "model.activation", "leaky_relu"},
    {"model.norm_scale", "model.norm", "batch, layer"},
    {"model.norm_shift", "model.norm", "batch, layer"},
    {"model.norm_epsilon", "model.norm", "batch, layer"},
    {"model.init_std", "model.init", kSpreads},
    {.keys = "model.head_init", .trait = &Algorithm::has_head},
    {.keys = "model.head_init_std", .trait = &Algorithm::has_head},
    {"model.head_init_std", "model.head_init", kSpreads},

    {.keys = "learner.order", .trait = &Algorithm::has_order},
    {.keys = "learner.truncation", .trait = &Algorithm::is_exact},
    {"learner.truncation", "learner.order", "auto, second"},
    {.keys = "learner.learn_rate", .trait = &Algorithm::learns_rule},
    {.keys = "learner.learn_weight_decay", .trait = &Algorithm::learns_rule},
    {.keys = "learner.per_step_rate", .trait = &Algorithm::is_per_step},
    {.keys = "learner.per_step_norm", .trait = &Algorithm::is_per_step},
    {.keys = "learner.multi_step_loss_epochs", .trait = &Algorithm::is_per_step},
    {.keys = "learner.joint_batch", .trait = &Algorithm::embeds_jointly},
    {"learner.joint_batch", "learner.transductive", "true"},
    {.keys = "learner.optimizer_hidden", .values = "learned_optimizer"},
    {.keys = "learner.implicit", .values = "imaml"},
    {.keys = "learner.ridge", .values = "r2d2"},

    {.keys = "inner.steps", .trait = &Algorithm::has_steps},
    {.keys = "inner.rate", .trait = &Algorithm::has_inner_rule},
    {.keys = "inner.optimizer", .trait = &Algorithm::has_inner_rule},
    {.keys = "inner.momentum", .trait = &Algorithm::has_inner_rule},
    {"inner.momentum", "inner.optimizer", "momentum"},
    {.keys = "inner.beta1", .trait = &Algorithm::has_inner_rule},
    {"inner.beta1", "inner.optimizer", "adam"},
    {.keys = "inner.beta2", .trait = &Algorithm::has_inner_rule},
    {"inner.beta2", "inner.optimizer", "adam"},
    {.keys = "inner.epsilon", .trait = &Algorithm::has_inner_rule},
    {"inner.epsilon", "inner.optimizer", "adam"},
    {.keys = "inner.weight_decay", .trait = &Algorithm::has_inner_rule},
    {.keys = "inner.segment", .trait = &Algorithm::has_steps},
    {.keys = "inner.batch", .trait = &Algorithm::has_steps},
    {.keys = "inner.loss_reduction", .trait = &Algorithm::has_inner_rule},
    {.keys = "inner.adapt_norm", .trait = &Algorithm::adapts_norm},
    {"inner.adapt_norm", "model.norm", "batch, layer"},
    {.keys = "test.steps", .trait = &Algorithm::has_steps},
    {.keys = "test.batch", .trait = &Algorithm::has_steps},

    {.keys = "outer.epoch", .trait = &Algorithm::is_per_step},
    {"outer.epoch", "learner.multi_step_loss_epochs"},
    {"outer.momentum", "outer.optimizer", "sgd"},
    {"outer.beta1", "outer.optimizer", "adam, adamw"},
    {"outer.beta2", "outer.optimizer", "adam, adamw"},
    {"outer.epsilon", "outer.optimizer", "adam, adamw"},
    {"outer.final_rate", "outer.schedule", "cosine, linear"},
    {"outer.schedule_every", "outer.schedule", "cosine, step, linear"},
    {"outer.step_factor", "outer.schedule", "step"},
});

std::vector<std::string_view> values_of(const KeyReader& reader) {
  if (reader.trait == nullptr) return split_words(reader.values);
  std::vector<std::string_view> names;
  for (const Algorithm& one : kAlgorithms) {
    if (one.*reader.trait) names.push_back(one.name);
  }
  return names;
}

bool is_read(const KeyReader& reader, const Config& config) {
  const auto values = values_of(reader);
  const std::string value = value_text(config, reader.decider);
  if (values.empty()) return value != value_text(Config{}, reader.decider);
  return std::ranges::find(values, value) != values.end();
}

std::vector<std::string_view> keys_of(const KeyReader& reader) {
  return is_section(reader.keys) ? keys_of_section(reader.keys) : std::vector{reader.keys};
}

Complaint complaint(std::string_view key, const KeyReader& reader, const Config& config,
                    const std::string& least) {
  const auto values = values_of(reader);
  return {.key = std::string(key),
          .text = fmt::format(
              "has no effect with {} = {}: leave it at {} (it is for {})", reader.decider,
              value_text(config, reader.decider), least,
              values.empty() ? "other values" : fmt::to_string(fmt::join(values, ", "))),
          .causes = {std::string(reader.decider)},
          .is_idle = true};
}

}  // namespace

std::vector<Complaint> idle_keys(const Config& config) {
  const Config defaults;
  std::vector<Complaint> found;
  for (const KeyReader& reader : kReaders) {
    if (is_read(reader, config)) continue;
    for (const std::string_view path : keys_of(reader)) {
      const Key& key = *find_key(path);
      const std::string least = format_value(key, defaults);
      const bool is_known = std::ranges::find(found, path, &Complaint::key) != found.end();
      if (is_known || format_value(key, config) == least) continue;
      found.push_back(complaint(path, reader, config, least));
    }
  }
  return found;
}

}  // namespace outerloop::config
