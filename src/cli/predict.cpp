// outerloop predict: adapts to a person's own few examples and answers their queries.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>

#include "cli/output_file.h"
#include "cli/predict_options.h"
#include "cli/program.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/counted.h"
#include "outerloop/base/csv_field.h"
#include "outerloop/base/error.h"
#include "outerloop/data/examples.h"
#include "outerloop/train/evaluation.h"

namespace outerloop::cli {

Tensor examples_tensor(const Shape& example, std::span<const float> values) {
  Shape shape{static_cast<int64_t>(values.size()) / example.elements()};
  for (const int64_t extent : example) shape.append(extent);
  return Tensor::from<float>(shape, values);
}

void warn_of_divergence(const Tensor& answers) {
  const auto bad =
      std::ranges::count_if(answers.as<float>(), [](float v) { return !std::isfinite(v); });
  if (bad == 0) return;
  tell(fmt::format(
      "warning: {} of {} values are not finite: the adaptation diverged; fewer steps may "
      "help: test.steps=N\n",
      bad, answers.elements()));
}

// ---- Classes ----------------------------------------------------------------------------------

namespace {

SupportClasses classes_of(const data::ExampleImages& support) {
  const std::set<std::string> names(support.labels.begin(), support.labels.end());
  SupportClasses classes{.names = {names.begin(), names.end()}};
  for (const std::string& label : support.labels) {
    classes.labels.push_back(static_cast<int32_t>(std::ranges::lower_bound(classes.names, label) -
                                                  classes.names.begin()));
  }
  return classes;
}

}  // namespace

std::string class_table(const std::string& first, const std::vector<std::string>& queries,
                        const SupportClasses& classes, const Tensor& answers) {
  std::string text = first + ",class";
  for (const std::string& name : classes.names) text += "," + csv_field("p(" + name + ")");
  text += '\n';
  const size_t ways = classes.names.size();
  for (size_t i = 0; i < queries.size(); ++i) {
    const auto row = answers.as<float>().subspan(i * ways, ways);
    const std::optional<size_t> answer = train::answered_class(row);
    text += csv_field(queries[i]) + "," + (answer ? csv_field(classes.names[*answer]) : "");
    for (const float p : row) text += fmt::format(",{:.6f}", p);
    text += '\n';
  }
  return text;
}

void report_accuracy(const std::vector<std::string>& labels, const SupportClasses& classes,
                     const Tensor& answers) {
  const size_t ways = classes.names.size();
  size_t known = 0;
  size_t right = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto truth = std::ranges::find(classes.names, labels[i]);
    if (truth == classes.names.end()) continue;
    ++known;
    const auto answer = train::answered_class(answers.as<float>().subspan(i * ways, ways));
    if (answer && classes.names[*answer] == *truth) ++right;
  }
  if (known == 0) return;
  fmt::print("{} of {} with a known class {} right ({:.1f} %)\n", right,
             counted(known, "query", "queries"), noun(known, "is", "are"),
             100.0 * static_cast<double>(right) / static_cast<double>(known));
}

void report_error(const std::vector<double>& truth, const std::vector<double>& answers,
                  const std::string& target) {
  double squares = 0;
  int known = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    if (std::isnan(truth[i])) continue;
    squares += (truth[i] - answers[i]) * (truth[i] - answers[i]);
    ++known;
  }
  if (known == 0) return;
  fmt::print("{} is known for {}: root mean squared error {:.6g}\n", target,
             counted(known, "query", "queries"), std::sqrt(squares / known));
}

void say_how(const train::Predictor& predictor, size_t queries) {
  fmt::print("{}: {} of adaptation\n", predictor.checkpoint_file().string(),
             counted(predictor.steps(), "step"));
  if (!predictor.transductive()) return;
  if (queries == 1) {
    tell(
        "warning: batch norm sees this one query by itself, which is far from what was trained; "
        "--one-by-one lets it see the support set beside it\n");
    return;
  }
  fmt::print(
      "transductive: batch norm sees the {} queries together, so each answer depends on the "
      "others; --one-by-one answers each alone, beside the support set\n",
      queries);
}

namespace {

void predict_classes(const PredictOptions& options, const train::Predictor& predictor) {
  data::ImagePreparation preparation = *predictor.image_preparation();
  if (options.invert) preparation.invert = !preparation.invert;
  const data::ExampleImages support =
      data::read_example_images(options.support, preparation, data::Labels::required);
  const SupportClasses classes = classes_of(support);
  const train::AdaptedPredictor adapted = predictor.adapt(
      {.x = examples_tensor(predictor.example(), support.pixels),
       .y = Tensor::from<int32_t>({static_cast<int64_t>(classes.labels.size())}, classes.labels),
       .ways = static_cast<int64_t>(classes.names.size())});
  const data::ExampleImages queries = data::read_example_images(options.query, preparation);
  const Tensor answers = adapted.answer(examples_tensor(predictor.example(), queries.pixels));
  write_file_atomically(options.out, class_table("file", queries.names, classes, answers));
  say_how(predictor, queries.names.size());
  fmt::print("{}, {}, {} -> {}\n", counted(classes.names.size(), "class", "classes"),
             counted(support.names.size(), "support image"),
             counted(queries.names.size(), "query", "queries"), options.out);
  report_accuracy(queries.labels, classes, answers);
  warn_of_divergence(answers);
}

// ---- Values -----------------------------------------------------------------------------------

std::string value_table(const data::ExamplePoints& queries, const Tensor& answers) {
  std::string text;
  for (const std::string& column : queries.columns) text += csv_field(column) + ",";
  const auto inputs = queries.columns.size();
  const auto outputs = static_cast<size_t>(answers.shape()[1]);
  for (size_t o = 0; o < outputs; ++o) {
    text += outputs == 1 ? "prediction" : fmt::format("{}prediction{}", o > 0 ? "," : "", o + 1);
  }
  text += '\n';
  for (size_t row = 0; row < static_cast<size_t>(queries.rows); ++row) {
    for (size_t i = 0; i < inputs; ++i) text += fmt::format("{},", queries.x[row * inputs + i]);
    for (size_t o = 0; o < outputs; ++o) {
      text += fmt::format("{}{}", o > 0 ? "," : "", answers.as<float>()[row * outputs + o]);
    }
    text += '\n';
  }
  return text;
}

void predict_values(const PredictOptions& options, const train::Predictor& predictor) {
  const int64_t inputs = predictor.example().elements();
  const int64_t outputs = predictor.outputs();
  const auto support =
      data::read_example_points(options.support, inputs, outputs, data::Targets::required);
  const train::AdaptedPredictor adapted =
      predictor.adapt({.x = examples_tensor(predictor.example(), support.x),
                       .y = Tensor::from<float>({support.rows, outputs}, support.y)});
  const auto queries =
      data::read_example_points(options.query, inputs, outputs, data::Targets::where_known);
  const Tensor answers = adapted.answer(examples_tensor(predictor.example(), queries.x));
  write_file_atomically(options.out, value_table(queries, answers));
  say_how(predictor, static_cast<size_t>(queries.rows));
  fmt::print("{}, {} -> {}\n", counted(support.rows, "support point"),
             counted(queries.rows, "query", "queries"), options.out);
  const std::span<const float> values = answers.as<float>();
  report_error({queries.y.begin(), queries.y.end()}, {values.begin(), values.end()}, "y");
  warn_of_divergence(answers);
}

std::vector<std::filesystem::path> files_read(const PredictOptions& options,
                                              const train::Predictor& predictor) {
  std::vector<std::filesystem::path> files = with_dataset(options.run);
  files.push_back(predictor.checkpoint_file());
  for (const std::string& source : {options.support, options.query}) {
    files.emplace_back(source);
    if (!predictor.image_preparation()) continue;
    std::ranges::move(data::example_image_files(source), std::back_inserter(files));
  }
  return files;
}

int run(const PredictOptions& options) {
  const auto predictor = train::Predictor::open(options.run, options.predictor);
  require_place_for(options.out, files_read(options, predictor));
  const bool images = predictor.image_preparation().has_value();
  if (options.invert && !images) throw BadInput("--invert is for images; this run knows none");
  if (images) {
    predict_classes(options, predictor);
  } else if (predictor.table_preparation()) {
    predict_rows(options, predictor);
  } else {
    predict_values(options, predictor);
  }
  return kDone;
}

}  // namespace

void add_predict(Program& program) {
  auto options = std::make_shared<PredictOptions>();
  Command command =
      program.app.add_subcommand("predict", "Adapt to your own few examples and answer queries");
  command.add_option("RUN", options->run, "Run folder or checkpoint file").required();
  command.add_option("OVERRIDES", options->predictor.overrides,
                     "key=value words: test.steps, test.batch, runtime.isa");
  command
      .add_option(
          "--support", options->support,
          "Folder or zip of class folders of images, CSV with path,label, CSV with x,y, or rows "
          "of a table")
      .required();
  command
      .add_option(
          "--query", options->query,
          "Folder or zip of images, one image, CSV with path, CSV with x, or rows of a table")
      .required();
  command.add_option("--out", options->out, "CSV file to write").required();
  command.add_option("--checkpoint", options->predictor.checkpoint, "best, last or a file")
      .capture_default_str();
  command.add_flag("--invert", options->invert,
                   "Turn light and dark round, if your images differ from the training's in this");
  command.add_flag("--one-by-one", options->predictor.one_by_one,
                   "Answer each query alone beside the support set");
  command.footer(
      "Images may have any size and depth; the class of a support image is its folder's name:\n"
      "  outerloop predict RUN --support mine --query new.png --out answers.csv\n"
      "with mine/cat/1.png, mine/cat/2.jpg, mine/dog/a.png, … Queries in class folders, or with a "
      "column of labels or targets, are scored too.");
  command.callback([&program, options] { program.action = [options] { return run(*options); }; });
}

}  // namespace outerloop::cli
