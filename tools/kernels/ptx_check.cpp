#include "kernels/ptx_check.h"

#include <algorithm>
#include <array>
#include <vector>

namespace outerloop::kernels {
namespace {

// Of floating point these give one result whatever their modifiers, unless they flush.
constexpr std::array<std::string_view, 24> kExact{
    "and", "bar",  "bfi", "bra", "call", "cvt",  "cvta", "ld",   "max", "min", "mov", "neg",
    "not", "prmt", "or",  "rem", "ret",  "selp", "setp", "shfl", "shl", "shr", "st",  "xor"};
// And these with .rn alone, but for whole numbers.
constexpr std::array<std::string_view, 8> kRounded{"abs", "add", "div",  "fma",
                                                   "mad", "mul", "sqrt", "sub"};
// How PTX declares a function that is not in it.
constexpr std::string_view kElsewhere = ".extern .func";
constexpr std::array<std::string_view, 3> kLoose{"approx", "ftz", "full"};

bool is_among(const auto& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

// "fma.rn.f32" as {"fma", "rn", "f32"}.
std::vector<std::string_view> parts_of(std::string_view instruction) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at != std::string_view::npos;) {
    const size_t point = instruction.find('.', at);
    parts.push_back(instruction.substr(at, point - at));
    at = point == std::string_view::npos ? point : point + 1;
  }
  return parts;
}

bool is_float(std::string_view type) {
  return type.starts_with("f16") || type.starts_with("bf16") || type.starts_with("f32") ||
         type.starts_with("f64");
}

bool is_doubtful(std::string_view instruction) {
  const std::vector<std::string_view> parts = parts_of(instruction);
  const auto loose = [](std::string_view part) { return is_among(kLoose, part); };
  if (std::ranges::any_of(parts, loose)) return true;
  if (is_among(kExact, parts.front())) return false;
  if (!is_among(kRounded, parts.front())) return true;
  return std::ranges::any_of(parts, is_float) && !is_among(parts, "rn");
}

// What a line asks for: empty for labels, directives, brackets and comments.
std::string_view instruction_of(std::string_view line) {
  constexpr std::string_view kSpace = " \t";
  size_t first = line.find_first_not_of(kSpace);
  if (first != std::string_view::npos && line[first] == '@') {  // only if …
    first = line.find_first_not_of(kSpace, line.find_first_of(kSpace, first));
  }
  if (first == std::string_view::npos) return {};
  if (line[first] < 'a' || line[first] > 'z') return {};
  return line.substr(first, line.find_first_of(" \t;", first) - first);
}

}  // namespace

std::string doubtful_instruction(std::string_view ptx) {
  bool goes_on = false;  // from the line before, as calls do
  while (!ptx.empty()) {
    const size_t end = std::min(ptx.find('\n'), ptx.size() - 1);
    const std::string_view line = ptx.substr(0, end);
    if (line.starts_with(kElsewhere)) return std::string(kElsewhere);
    const std::string_view instruction = instruction_of(line);
    if (!goes_on && !instruction.empty() && is_doubtful(instruction)) {
      return std::string(instruction);
    }
    if (goes_on || !instruction.empty()) goes_on = line.find(';') == line.npos;
    ptx.remove_prefix(end + 1);
  }
  return "";
}

}  // namespace outerloop::kernels
