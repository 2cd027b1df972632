#include "config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "outerloop/base/edit_distance.h"
#include "outerloop/base/home.h"
#include "outerloop/base/utf8.h"

namespace outerloop::config {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Enough of a value to recognise it in a message, on one line.
std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string result;
  for (const char c : text.substr(0, kLongest)) {
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    result += plain ? c : '?';
  }
  return text.size() > kLongest ? result + "..." : result;
}

bool is_tagged(const RawValue& value) {
  return value.kind == RawValue::Kind::none && !value.text.empty();
}

std::string shown(const RawValue& value) {
  switch (value.kind) {
    case RawValue::Kind::none:
      return is_tagged(value) ? fmt::format("'{}'", shown(value.text)) : "nothing";
    case RawValue::Kind::list: {
      std::string text;
      for (const RawValue& element : value.elements) {
        text += text.empty() ? element.text : ", " + element.text;
      }
      return fmt::format("[{}]", shown(text));
    }
    case RawValue::Kind::scalar:
      break;
  }
  return fmt::format("{}'{}'", value.quoted ? "the quoted text " : "", shown(value.text));
}

// Why a number was refused, beyond "expected …, got …"; empty = nothing to add.
std::string_view hint_for(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0' && digits[1] != '.';
  if (leading_zero) return "; write decimal numbers, without leading zeros";
  if (text.starts_with('+')) return "; write it without '+'";
  return {};
}

// Decimal digits with an optional '-', no leading zeros (YAML reads 010 as eight).
std::optional<std::int64_t> parse_int(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!hint_for(text).empty()) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value) || !hint_for(text).empty()) return std::nullopt;
  return value;
}

bool inside(const Bounds& bounds, double value) {
  const bool above = bounds.low_open ? value > bounds.low : value >= bounds.low;
  const bool below = bounds.high_open ? value < bounds.high : value <= bounds.high;
  return above && below;
}

// 10000 rather than 1e+04.
std::string number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

std::string range(const Bounds& bounds) {
  const bool has_low = std::isfinite(bounds.low), has_high = std::isfinite(bounds.high);
  std::string text;
  if (has_low)
    text += fmt::format(" {} {}", bounds.low_open ? "above" : "from", number(bounds.low));
  if (has_high)
    text += fmt::format(" {} {}", bounds.high_open ? "to below" : "to", number(bounds.high));
  return has_low && !has_high && !bounds.low_open ? text + " up" : text;
}

// Text that a file name or a YAML line can hold: UTF-8 without control characters.
bool is_clean_text(std::string_view text) {
  while (!text.empty()) {
    const std::optional<std::uint32_t> code = take_code_point(text);
    if (!code || *code < 0x20 || (*code >= 0x7f && *code < 0xa0)) return false;
    if (*code == 0x2028 || *code == 0x2029 || *code == 0xfeff) return false;
    if ((*code & 0xfffe) == 0xfffe) return false;  // not a character
  }
  return true;
}

// assign() for each type: true if the value was taken.

bool take(const Key&, const RawValue& raw, bool& value) {
  if (raw.quoted || (raw.text != "true" && raw.text != "false")) return false;
  value = raw.text == "true";
  return true;
}

bool take(const Key& key, const RawValue& raw, std::int64_t& value) {
  const auto parsed = raw.quoted ? std::nullopt : parse_int(raw.text);
  if (!parsed || !inside(key.bounds, static_cast<double>(*parsed))) return false;
  value = *parsed;
  return true;
}

bool take(const Key& key, const RawValue& raw, double& value) {
  const auto parsed = raw.quoted ? std::nullopt : parse_double(raw.text);
  if (!parsed || !inside(key.bounds, *parsed)) return false;
  value = *parsed;
  return true;
}

bool take(const Key& key, const RawValue& raw, std::optional<double>& value) {
  if (!raw.quoted && raw.text == "none") {
    value.reset();
    return true;
  }
  double number = 0;
  if (!take(key, raw, number)) return false;
  value = number;
  return true;
}

bool take(const Key& key, const RawValue& raw, std::string& value) {
  const auto words = split_words(key.words);
  const bool allowed = words.empty() || std::ranges::find(words, raw.text) != words.end();
  if (!allowed || !is_clean_text(raw.text)) return false;
  value = key.is_path ? with_home(raw.text) : raw.text;
  return true;
}

bool are_scalars(const std::vector<RawValue>& elements) {
  return std::ranges::all_of(
      elements, [](const RawValue& element) { return element.kind == RawValue::Kind::scalar; });
}

bool take(const Key& key, const RawValue& raw, Interval& value) {
  Interval read;
  if (raw.elements.size() != 2 || !are_scalars(raw.elements)) return false;
  if (!take(key, raw.elements[0], read.low) || !take(key, raw.elements[1], read.high)) return false;
  if (read.low > read.high) return false;
  value = read;
  return true;
}

template <class T>
bool take(const Key& key, const RawValue& raw, std::vector<T>& value) {
  constexpr std::size_t kMost = 1000;
  std::vector<T> read(std::min(raw.elements.size(), kMost));
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (!take(key, raw.elements[i], read[i])) return false;
  }
  if (raw.elements.size() > kMost || !are_scalars(raw.elements)) return false;
  value = std::move(read);
  return true;
}

bool wants_list(const Key& key) {
  return std::holds_alternative<Member<Interval>>(key.field) ||
         std::holds_alternative<Member<std::vector<std::int64_t>>>(key.field) ||
         std::holds_alternative<Member<std::vector<std::string>>>(key.field);
}

bool assign_choice(const ChoiceMember& member, const RawValue& raw, Config& config) {
  const std::optional<int> place = choice_place(member.words, raw.text);
  if (!place) return false;
  member.write(config, *place);
  return true;
}

// ", did you mean 'tanh'?" for a word that is nearly one of `words`.
std::string suggestion(std::string_view words, const RawValue& raw) {
  if (words.empty() || raw.kind != RawValue::Kind::scalar || raw.text.size() > 64) return {};
  const auto candidates = split_words(words);
  const auto nearest = nearest_word(raw.text, candidates);
  return nearest ? fmt::format("; did you mean '{}'?", *nearest) : "";
}

std::string why_refused(const Key& key, const RawValue& raw) {
  const auto* choice = std::get_if<ChoiceMember>(&key.field);
  const std::string_view words = choice ? choice->words : key.words;
  std::string text = fmt::format("expected {}, got {}", expectation(key), shown(raw));
  if (raw.kind == RawValue::Kind::scalar && raw.quoted && words.empty())
    text += "; write it without quotes";
  if (is_tagged(raw) || std::ranges::any_of(raw.elements, is_tagged))
    return text + "; write values without tags";
  if (std::holds_alternative<Member<std::string>>(key.field) && words.empty()) return text;
  if (raw.kind == RawValue::Kind::scalar && !raw.quoted && words.empty())
    text += hint_for(raw.text);
  for (const RawValue& element : raw.elements) {
    if (const auto hint = hint_for(element.text); !hint.empty()) return text + std::string(hint);
  }
  return text + suggestion(words, raw);
}

std::string quote(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string format(bool value) {
  return value ? "true" : "false";
}
std::string format(std::int64_t value) {
  return fmt::format("{}", value);
}
std::string format(double value) {
  return fmt::format("{}", value);
}
std::string format(const std::string& value) {
  return quote(value);
}
std::string format(const std::optional<double>& value) {
  return value ? format(*value) : "none";
}
std::string format(const Interval& value) {
  return fmt::format("[{}, {}]", value.low, value.high);
}
std::string format(const std::vector<std::int64_t>& value) {
  return fmt::format("[{}]", fmt::join(value, ", "));
}
std::string format(const std::vector<std::string>& value) {
  std::string text;
  for (const std::string& word : value) text += (text.empty() ? "" : ", ") + quote(word);
  return "[" + text + "]";
}

}  // namespace

std::vector<std::string_view> split_words(std::string_view words) {
  std::vector<std::string_view> result;
  for (int i = 0;; ++i) {
    const std::string_view word = choice_word(words, i);
    if (word.empty()) return result;
    result.push_back(word);
  }
}

namespace {

// What quote() made, from the front of `rest`, with the blanks before a comma or the end. Nothing
// when the front is something else.
std::optional<std::string> take_quoted(std::string_view& rest) {
  if (!rest.starts_with('"')) return std::nullopt;
  std::string text;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      const std::string_view after = trim(rest.substr(i + 1));
      if (!after.empty() && after.front() != ',') return std::nullopt;
      rest = after;
      return text;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    text += rest[i];
  }
  return std::nullopt;
}

// An element of a list, up to its comma or the end.
RawValue take_element(std::string_view& rest) {
  RawValue element;
  rest = trim(rest);
  if (auto text = take_quoted(rest)) {
    element.text = std::move(*text);
    element.quoted = true;
    return element;
  }
  const std::size_t end = std::min(rest.find(','), rest.size());
  element.text = trim(rest.substr(0, end));
  rest = rest.substr(end);
  return element;
}

}  // namespace

RawValue parse_word(const Key& key, std::string_view text) {
  RawValue value;
  const std::string_view trimmed = trim(text);
  const bool bracketed = trimmed.size() >= 2 && trimmed.front() == '[' && trimmed.back() == ']';
  if (!wants_list(key) || !bracketed) {
    const bool verbatim = std::holds_alternative<Member<std::string>>(key.field);
    value.text = verbatim ? text : trimmed;
    return value;
  }
  value.kind = RawValue::Kind::list;
  std::string_view rest = trim(trimmed.substr(1, trimmed.size() - 2));
  while (!rest.empty()) {
    value.elements.push_back(take_element(rest));
    if (rest.empty()) break;
    rest = rest.substr(1);                            // the comma
    if (rest.empty()) value.elements.emplace_back();  // "[1,]": an element is missing
  }
  return value;
}

std::optional<std::string> assign(const Key& key, const RawValue& value, Config& config) {
  const auto kind = wants_list(key) ? RawValue::Kind::list : RawValue::Kind::scalar;
  const bool taken = value.kind == kind && std::visit(
                                               [&](const auto& field) {
                                                 if constexpr (requires { field.words; }) {
                                                   return assign_choice(field, value, config);
                                                 } else {
                                                   return take(key, value, field.write(config));
                                                 }
                                               },
                                               key.field);
  if (taken) return std::nullopt;
  return why_refused(key, value);
}

std::string format_value(const Key& key, const Config& config) {
  return std::visit(
      [&](const auto& field) -> std::string {
        if constexpr (requires { field.words; }) {
          return std::string(choice_word(field.words, field.read(config)));
        } else {
          return format(field.read(config));
        }
      },
      key.field);
}

void copy_value(const Key& key, const Config& from, Config& to) {
  std::visit(
      [&](const auto& field) {
        if constexpr (requires { field.write(to) = field.read(from); }) {
          field.write(to) = field.read(from);
        } else {
          field.write(to, field.read(from));
        }
      },
      key.field);
}

std::string expectation(const Key& key) {
  struct Describe {
    const Key& key;
    std::string operator()(const Member<bool>&) const { return "true or false"; }
    std::string operator()(const Member<std::int64_t>&) const {
      return "a whole number" + range(key.bounds);
    }
    std::string operator()(const Member<double>&) const { return "a number" + range(key.bounds); }
    std::string operator()(const Member<std::string>&) const {
      return key.words.empty() ? "text without control characters"
                               : fmt::format("one of {}", key.words);
    }
    std::string operator()(const Member<std::optional<double>>&) const {
      return fmt::format("a number{} or none", range(key.bounds));
    }
    std::string operator()(const Member<Interval>&) const {
      return fmt::format("two numbers{} as [low, high]", range(key.bounds));
    }
    std::string operator()(const Member<std::vector<std::int64_t>>&) const {
      return fmt::format("a list of whole numbers{} as [a, b]", range(key.bounds));
    }
    std::string operator()(const Member<std::vector<std::string>>&) const {
      return "a list of texts as [a, b]";
    }
    std::string operator()(const ChoiceMember& choice) const {
      return fmt::format("one of {}", fmt::join(split_words(choice.words), ", "));
    }
  };
  return std::visit(Describe{key}, key.field);
}

}  // namespace outerloop::config
