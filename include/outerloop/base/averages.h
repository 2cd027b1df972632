#pragma once
// Means with intervals, and medians.

#include <span>
#include <vector>

namespace outerloop {

// Student's interval (1908): mean +- t * sd / sqrt(n). One value: sd and all that follows is NaN.
struct MeanInterval {
  double mean = 0;
  double deviation = 0;  // n - 1 in the denominator
  double error = 0;      // deviation / sqrt(n)
  double quantile = 0;   // of Student's t with n - 1 degrees
  double half = 0;       // quantile * error
  double lower = 0;
  double upper = 0;
  double normal_half = 0;  // with the normal quantile
};
// Throws BadInput without values or unless 0 < level < 1.
MeanInterval mean_interval(std::span<const double> values, double level = 0.95);

// Of an even count the mean of the middle two; of no values NaN.
double median(std::vector<double> values);

}  // namespace outerloop
