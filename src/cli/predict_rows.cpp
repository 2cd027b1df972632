// Prediction from rows of a table: the run's columns by name, values in the file's units.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cli/predict_options.h"
#include "cli/program.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/counted.h"
#include "outerloop/base/csv_field.h"

namespace outerloop::cli {
namespace {

std::vector<std::string> row_numbers(int64_t rows) {
  std::vector<std::string> numbers;
  for (int64_t row = 1; row <= rows; ++row) numbers.push_back(fmt::format("{}", row));
  return numbers;
}

// Classes known from training keep its order; others come behind, by name. `all`: those without a
// label too.
SupportClasses classes_of(const std::vector<std::string>& labels,
                          const std::vector<std::string>& known, bool all) {
  const std::set<std::string> present(labels.begin(), labels.end());
  SupportClasses classes;
  for (const std::string& name : known) {
    if (all || present.contains(name)) classes.names.push_back(name);
  }
  for (const std::string& name : present) {
    if (std::ranges::find(known, name) == known.end()) classes.names.push_back(name);
  }
  for (const std::string& label : labels) {
    classes.labels.push_back(
        static_cast<int32_t>(std::ranges::find(classes.names, label) - classes.names.begin()));
  }
  return classes;
}

void answer_classes(const PredictOptions& options, const train::Predictor& predictor,
                    const data::TableRows& support, const data::TableRows& queries) {
  const SupportClasses classes = classes_of(support.labels, predictor.table_preparation()->classes,
                                            predictor.labels_are_classes());
  const train::AdaptedPredictor adapted =
      predictor.adapt({.x = examples_tensor(predictor.example(), support.x),
                       .y = Tensor::from<int32_t>({support.rows}, classes.labels),
                       .ways = static_cast<int64_t>(classes.names.size())});
  const Tensor answers = adapted.answer(examples_tensor(predictor.example(), queries.x));
  write_file_atomically(options.out,
                        class_table("row", row_numbers(queries.rows), classes, answers));
  report_accuracy(queries.labels, classes, answers);
  warn_of_divergence(answers);
}

void answer_values(const PredictOptions& options, const train::Predictor& predictor,
                   const data::TableRows& support, const data::TableRows& queries) {
  const data::TablePreparation& p = *predictor.table_preparation();
  std::vector<float> targets;
  for (const double value : support.y) {
    targets.push_back(static_cast<float>((value - p.target_mean) / p.target_scale));
  }
  const train::AdaptedPredictor adapted =
      predictor.adapt({.x = examples_tensor(predictor.example(), support.x),
                       .y = Tensor::from<float>({support.rows, 1}, targets)});
  const Tensor answers = adapted.answer(examples_tensor(predictor.example(), queries.x));
  std::vector<double> values;
  for (const float answer : answers.as<float>()) {
    values.push_back(p.target_mean + p.target_scale * static_cast<double>(answer));
  }
  std::string text = fmt::format("row,{}\n", csv_field(p.target));
  for (size_t row = 0; row < values.size(); ++row) {
    text += fmt::format("{},{:.9g}\n", row + 1, values[row]);
  }
  write_file_atomically(options.out, text);
  report_error(queries.y, values, p.target);
  warn_of_divergence(answers);
}

}  // namespace

namespace {

void warn_of_tasks(const std::string& file, const data::TableRows& support,
                   const std::string& column) {
  if (support.tasks < 2) return;
  tell(fmt::format("warning: {}: rows of {} values of '{}' are adapted to as one task\n", file,
                   support.tasks, column));
}

void warn_of_categories(const std::string& file, const data::TableRows& rows,
                        const data::TablePreparation& preparation) {
  std::vector<std::string> counts;
  for (size_t f = 0; f < preparation.features.size(); ++f) {
    const int64_t count = rows.unknown_categories[f];
    if (count == 0) continue;
    counts.push_back(
        fmt::format("{} of '{}'", counted(count, "cell"), preparation.features[f].name));
  }
  if (counts.empty()) return;
  tell(fmt::format("warning: {}: categories that the training never saw count as none: {}\n", file,
                   fmt::join(counts, ", ")));
}

}  // namespace

void predict_rows(const PredictOptions& options, const train::Predictor& predictor) {
  const data::TablePreparation& preparation = *predictor.table_preparation();
  const std::string& task = predictor.task_column();
  const data::TableRows support =
      data::read_table_rows(options.support, preparation, data::Targets::required, task);
  const data::TableRows queries =
      data::read_table_rows(options.query, preparation, data::Targets::where_known, task);
  warn_of_tasks(options.support, support, task);
  warn_of_categories(options.support, support, preparation);
  warn_of_categories(options.query, queries, preparation);
  say_how(predictor, static_cast<size_t>(queries.rows));
  fmt::print("{} support rows, {} query rows -> {}\n", support.rows, queries.rows, options.out);
  predictor.classification() ? answer_classes(options, predictor, support, queries)
                             : answer_values(options, predictor, support, queries);
}

}  // namespace outerloop::cli
