#include "outerloop/config/word.h"

#include <fmt/format.h>

#include "config/value.h"
#include "outerloop/base/error.h"
#include "outerloop/config/schema.h"

namespace outerloop::config {
namespace {

const Key& known(std::string_view path) {
  const Key* key = find_key(path);
  OL_ASSERT(key != nullptr, fmt::format("no key '{}'", path));
  return *key;
}

}  // namespace

std::string canonical_value(std::string_view key, std::string_view value) {
  const Key& record = known(key);
  Config scratch;
  const auto refusal = assign(record, parse_word(record, value), scratch);
  OL_ASSERT(!refusal, fmt::format("{}: {}", key, refusal.value_or("")));
  return value_text(scratch, key);
}

std::string value_text(const Config& config, std::string_view key) {
  const Key& record = known(key);
  // A word holds text as it is, YAML in quotes.
  const auto* text = std::get_if<Member<std::string>>(&record.field);
  return text != nullptr ? text->read(config) : format_value(record, config);
}

bool changes_results(std::string_view key) {
  return known(key).changes_results;
}

bool takes_whole_number(std::string_view key) {
  return std::holds_alternative<Member<std::int64_t>>(known(key).field);
}

bool takes_number(std::string_view key) {
  const Field& field = known(key).field;
  return takes_whole_number(key) || std::holds_alternative<Member<double>>(field) ||
         std::holds_alternative<Member<std::optional<double>>>(field);
}

}  // namespace outerloop::config
