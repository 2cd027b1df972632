#pragma once
// Where a plot's values lie on its page.

#include <string>
#include <vector>

#include "report/plot.h"

namespace outerloop::report {

// Pixels of the drawing; the page scales it.
inline constexpr double kWidth = 480;
inline constexpr double kHeight = 300;
inline constexpr double kEdge = 4;
inline constexpr double kLine = 16;  // height of a line of text

// A coordinate with one digit: "12.5", "12".
std::string px(double value);

// Of a text in the page's font, about: enough for every font that the page may get.
double text_width(const std::string& text);
double bold_width(const std::string& text);

// From values to pixels, linear or logarithmic.
class Scale {
 public:
  Scale() = default;
  Scale(double low, double high, bool logarithmic);
  void place(double first_pixel, double last_pixel);
  double operator()(double value) const;
  double low() const { return low_; }
  double high() const { return high_; }
  bool shows(double value) const;
  bool logarithmic() const { return logarithmic_; }

 private:
  double low_ = 0;
  double high_ = 1;
  bool logarithmic_ = false;
  double first_ = 0;
  double last_ = 1;
};

struct Tick {
  double place = 0;  // pixel
  std::string label;
};

class Frame {
 public:
  explicit Frame(const Plot& plot);

  double left() const { return left_; }
  double right() const { return right_; }
  double top() const { return top_; }
  double bottom() const { return bottom_; }

  double x(double value) const { return x_(value); }
  double y(double value) const { return y_(value); }
  bool shows(const Point& point) const { return x_.shows(point.x) && y_.shows(point.y); }
  const std::vector<Tick>& x_ticks() const { return x_ticks_; }
  const std::vector<Tick>& y_ticks() const { return y_ticks_; }

 private:
  double left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;
  Scale x_, y_;
  std::vector<Tick> x_ticks_, y_ticks_;
};

}  // namespace outerloop::report
