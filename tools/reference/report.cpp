#include "reference/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "outerloop/base/error.h"

namespace outerloop::reference {

namespace {

using Json = nlohmann::ordered_json;

void check_sizes(const std::string& name, size_t got, size_t expected) {
  if (got == expected) return;
  throw BadInput(fmt::format("{}: the file holds {} numbers, recomputed {}", name, expected, got));
}

double norm(std::span<const double> x) {
  double total = 0;
  for (const double value : x) total += value * value;
  return std::sqrt(total);
}

double distance(std::span<const double> a, std::span<const double> b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(total);
}

double strain(const Quantity& quantity) {
  if (quantity.error == 0) return 0;
  return quantity.tolerance > 0 ? quantity.error / quantity.tolerance
                                : std::numeric_limits<double>::infinity();
}

}  // namespace

void Report::add(std::string name, double error, double tolerance, std::string_view measure) {
  if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
  quantities_.push_back({std::move(name), error, tolerance, measure, by_programs_});
}

void Report::relative(std::string name, std::span<const double> got,
                      std::span<const double> expected, double tolerance) {
  scaled(std::move(name), got, expected, norm(expected), tolerance);
}

void Report::scaled(std::string name, std::span<const double> got, std::span<const double> expected,
                    double scale, double tolerance) {
  check_sizes(name, got.size(), expected.size());
  const double difference = distance(got, expected);
  add(std::move(name), difference == 0 ? 0 : difference / scale, tolerance, "relative");
}

void Report::absolute(std::string name, std::span<const double> got,
                      std::span<const double> expected, double tolerance) {
  check_sizes(name, got.size(), expected.size());
  double largest = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(got[i] - expected[i]);
    if (std::isnan(difference)) {
      largest = difference;
      break;
    }
    largest = std::max(largest, difference);
  }
  add(std::move(name), largest, tolerance, "absolute");
}

const Quantity& Report::worst() const {
  return *std::ranges::max_element(quantities_, {}, strain);
}

void Report::add_group(const std::string& path, std::vector<std::string> notes) {
  groups_.push_back({path + "/", std::move(notes)});
}

std::vector<std::string> Report::unchecked() const {
  std::vector<std::string> paths;
  std::ranges::copy_if(unread_, std::back_inserter(paths), [&](const std::string& path) {
    return std::ranges::any_of(groups_, [&](const Group& group) {
      return path.starts_with(group.start) &&
             std::ranges::count(group.notes, path.substr(group.start.size())) == 0;
    });
  });
  return paths;
}

bool Report::passes() const {
  return std::ranges::all_of(quantities_, &Quantity::passes) && unchecked().empty();
}

std::string as_text(const Report& report) {
  std::string text;
  const auto line = [](const Quantity& q) {
    return fmt::format("{:<4} {:<56} {} error {:9.2e}  tolerance {:.0e}{}\n",
                       q.passes() ? "ok" : "FAIL", q.name, q.measure, q.error, q.tolerance,
                       q.by_programs ? "" : "  (no program)");
  };
  for (const Quantity& quantity : report.quantities()) text += line(quantity);
  const auto failed = std::ranges::count_if(report.quantities(), std::not_fn(&Quantity::passes));
  if (!report.unread().empty()) {
    text +=
        fmt::format("not read by any rule of the layout: {}\n", fmt::join(report.unread(), ", "));
  }
  text += fmt::format("{} quantities, {} past their tolerance; worst:\n{}",
                      report.quantities().size(), failed, line(report.worst()));
  for (const std::string& path : report.unchecked()) {
    text += fmt::format("FAIL {:<56} is in a group that is checked, and has no rule\n", path);
  }
  return text;
}

std::string as_json(const Report& report, const std::string& file, std::string_view layout,
                    std::string_view dtype) {
  const auto entry = [](const Quantity& q) {
    return Json{{"name", q.name},
                {"measure", q.measure},
                {"error", std::isinf(q.error) ? Json("inf") : Json(q.error)},
                {"tolerance", q.tolerance},
                {"by_programs", q.by_programs},
                {"passes", q.passes()}};
  };
  Json json{{"file", file},
            {"layout", layout},
            {"dtype", dtype},
            {"passes", report.passes()},
            {"worst", entry(report.worst())},
            {"not_read", report.unread()},
            {"unchecked", report.unchecked()},
            {"quantities", Json::array()}};
  for (const Quantity& quantity : report.quantities()) {
    json["quantities"].push_back(entry(quantity));
  }
  return json.dump(2) + "\n";
}

}  // namespace outerloop::reference
