#pragma once
// What the kinds of prediction share.

#include <span>
#include <string>
#include <vector>

#include "outerloop/train/predictor.h"

namespace outerloop::cli {

struct PredictOptions {
  std::string run, support, query, out;
  bool invert = false;
  train::PredictorOptions predictor;
};

// Names of the support set's classes in label order, and the labels of its examples.
struct SupportClasses {
  std::vector<std::string> names;
  std::vector<int32_t> labels;
};

// (rows, example …)
Tensor examples_tensor(const Shape& example, std::span<const float> values);

// "FIRST,class,p(a),p(b)…", one line for each of `queries`.
std::string class_table(const std::string& first, const std::vector<std::string>& queries,
                        const SupportClasses& classes, const Tensor& answers);

// Queries whose label is a class of the support set tell how good the answers are.
void report_accuracy(const std::vector<std::string>& labels, const SupportClasses& classes,
                     const Tensor& answers);

// Queries whose target is known, and no NaN, tell how far off the answers are.
void report_error(const std::vector<double>& truth, const std::vector<double>& answers,
                  const std::string& target);

void warn_of_divergence(const Tensor& answers);
void say_how(const train::Predictor& predictor, size_t queries);

// The rows of a table, for a run on tables.
void predict_rows(const PredictOptions& options, const train::Predictor& predictor);

}  // namespace outerloop::cli
