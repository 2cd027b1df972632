#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "checkpoint/flatten.h"
#include "outerloop/checkpoint/tools.h"

namespace outerloop::checkpoint {
namespace {

// "5 against 7"; of longer texts the first line that differs. The texts are not equal.
std::string describe(std::string_view a, std::string_view b) {
  const auto is_line = [](std::string_view text) { return text.find('\n') == text.npos; };
  if (is_line(a) && is_line(b)) return fmt::format("{} against {}", a, b);
  for (int line = 1;; ++line) {
    const std::string_view x = a.substr(0, a.find('\n')), y = b.substr(0, b.find('\n'));
    if (x != y) return fmt::format("line {}: {} against {}", line, x, y);
    if (x.size() == a.size() || y.size() == b.size())
      return fmt::format("one text ends with line {}, the other goes on", line);
    a.remove_prefix(x.size() + 1);
    b.remove_prefix(y.size() + 1);
  }
}

// Calls on_pair for names in both lists, on_single(name, which file) for the others.
template <class List, class Name, class OnPair, class OnSingle>
void match(const List& a, const List& b, Name name, OnPair on_pair, OnSingle on_single) {
  const auto find = [&](const List& list, const auto& wanted) {
    return std::find_if(list.begin(), list.end(),
                        [&](const auto& item) { return name(item) == name(wanted); });
  };
  for (const auto& item : a)
    if (const auto other = find(b, item); other != b.end())
      on_pair(item, *other);
    else
      on_single(name(item), "first");
  for (const auto& item : b)
    if (find(a, item) == a.end()) on_single(name(item), "second");
}

TensorDifference compare(const std::string& name, const Tensor& a, const Tensor& b) {
  TensorDifference difference{.name = name};
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  const size_t width = size_of(a.dtype());
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double between = 0, of_x = 0, of_y = 0, product = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    of_x += x[i] * x[i], of_y += y[i] * y[i], product += x[i] * y[i];
    if (std::memcmp(a.data() + i * width, b.data() + i * width, width) == 0) continue;
    ++difference.elements;
    const double distance = std::abs(x[i] - y[i]);
    between += distance * distance;
    difference.largest = std::max(difference.largest, std::isnan(distance) ? infinity : distance);
  }
  difference.relative = of_y != 0 ? std::sqrt(between / of_y) : infinity;
  if (of_x != 0 && of_y != 0) difference.cosine = product / std::sqrt(of_x * of_y);
  return difference;
}

}  // namespace

Difference diff(const Checkpoint& a, const Checkpoint& b) {
  const Flat left = flatten(a), right = flatten(b);
  Difference difference;
  const auto only = [&](const std::string& name, const char* file) {
    difference.fields.push_back(fmt::format("{}: only in the {} checkpoint", name, file));
  };
  match(
      left.fields, right.fields, [](const auto& field) { return field.first; },
      [&](const auto& x, const auto& y) {
        if (x.second != y.second)
          difference.fields.push_back(x.first + ": " + describe(x.second, y.second));
      },
      only);
  match(
      left.tensors, right.tensors, [](const auto& tensor) { return tensor.name; },
      [&](const auto& x, const auto& y) {
        const Tensor &p = x.value, &q = y.value;
        if (p.dtype() != q.dtype() || p.shape() != q.shape())
          difference.fields.push_back(fmt::format("{}: {} {} against {} {}", x.name,
                                                  name_of(p.dtype()), to_string(p.shape()),
                                                  name_of(q.dtype()), to_string(q.shape())));
        else if (std::memcmp(p.data(), q.data(), p.bytes()) != 0)
          difference.tensors.push_back(compare(x.name, p, q));
      },
      only);
  return difference;
}

std::string to_text(const Difference& difference) {
  if (difference.identical()) return "identical\n";
  std::string text;
  for (const TensorDifference& tensor : difference.tensors)
    text += fmt::format("{}{}: {} elements differ, max |a-b| {:.6g}, {}\n",
                        text.empty() ? "first differing tensor: " : "", tensor.name,
                        tensor.elements, tensor.largest,
                        tensor.cosine ? fmt::format("relative {:.6g}, cosine {:.12g}",
                                                    tensor.relative, *tensor.cosine)
                                      : "all zero in one of them");
  for (const std::string& field : difference.fields) text += field + "\n";
  return text;
}

}  // namespace outerloop::checkpoint
