#pragma once
// The result of a check: one line per recomputed quantity.

#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outerloop::reference {

struct Quantity {
  std::string name;
  double error = 0;      // as `measure` says; NaN counts as infinite
  double tolerance = 0;  // the largest error that passes
  std::string_view measure;
  bool by_programs = true;  // else plain host code computes it, whatever the device
  bool passes() const { return error <= tolerance; }
};

class Report {
 public:
  // Of quantities that programs compute, or none of them.
  explicit Report(bool by_programs = true) : by_programs_(by_programs) {}

  // ||got - expected|| / ||expected||; both zero: 0.
  void relative(std::string name, std::span<const double> got, std::span<const double> expected,
                double tolerance);
  // The same with another scale in place of ||expected||.
  void scaled(std::string name, std::span<const double> got, std::span<const double> expected,
              double scale, double tolerance);
  // max |got - expected|.
  void absolute(std::string name, std::span<const double> got, std::span<const double> expected,
                double tolerance);

  // A group of results and of what they depend on: what stands in it and is not read fails, but
  // `notes`, paths in the group of what says how it was made.
  void add_group(const std::string& path, std::vector<std::string> notes = {});
  // Paths in the file that the layout has no rule for.
  void set_unread(std::vector<std::string> paths) { unread_ = std::move(paths); }

  const std::vector<Quantity>& quantities() const { return quantities_; }
  const std::vector<std::string>& unread() const { return unread_; }
  // Of these, what fails.
  std::vector<std::string> unchecked() const;
  // The largest error in units of its tolerance. There must be quantities.
  const Quantity& worst() const;
  bool passes() const;

 private:
  struct Group {
    std::string start;  // of the paths in it
    std::vector<std::string> notes;
  };

  void add(std::string name, double error, double tolerance, std::string_view measure);
  bool by_programs_;
  std::vector<Quantity> quantities_;
  std::vector<Group> groups_;
  std::vector<std::string> unread_;
};

// One line per quantity, one with what was not read, then the worst quantity and what is unchecked.
std::string as_text(const Report& report);
// JSON has no number for an infinite error: it is the text "inf".
std::string as_json(const Report& report, const std::string& file, std::string_view layout,
                    std::string_view dtype);

}  // namespace outerloop::reference
