// Prediction from a person's own examples.

#include "outerloop/train/predictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "outerloop/base/error.h"
#include "outerloop/base/stopwatch.h"
#include "outerloop/config/schema.h"
#include "outerloop/data/examples.h"
#include "support/message_of.h"
#include "train/tiny_runs.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

// Trained once for all tests of this program.
const fs::path& sine_run() {
  static const fs::path run = train_tiny("predictor_sine", kTinySine);
  return run;
}
const fs::path& image_run() {
  static const fs::path run = train_tiny("predictor_images", kTinyImages);
  return run;
}

Tensor column(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<int64_t>(values.size()), 1}, values);
}

// y = 2 sin(x - 1) at ten places.
SupportSet sine_support() {
  std::vector<float> x;
  std::vector<float> y;
  for (int i = 0; i < 10; ++i) {
    x.push_back(-4.5F + static_cast<float>(i));
    y.push_back(2.0F * std::sin(x.back() - 1.0F));
  }
  return {.x = column(x), .y = column(y)};
}

Tensor images(const std::vector<std::pair<int, int>>& class_and_number) {
  Tensor result(DType::f32, {static_cast<int64_t>(class_and_number.size()), 12, 12, 1});
  size_t at = 0;
  for (const auto& [image_class, number] : class_and_number) {
    for (const uint8_t level : tiny_image(image_class, number).pixels) {
      result.as<float>()[at++] = static_cast<float>(level) / 255.0F;
    }
  }
  return result;
}

Tensor labels(std::vector<int32_t> values) {
  return Tensor::from<int32_t>({static_cast<int64_t>(values.size())}, values);
}

// Three classes with two, two and one examples.
SupportSet image_support() {
  return {.x = images({{0, 0}, {0, 1}, {4, 0}, {4, 1}, {8, 0}}),
          .y = labels({0, 0, 1, 1, 2}),
          .ways = 3};
}

std::vector<float> values(const Tensor& tensor) {
  const auto span = tensor.as<float>();
  return {span.begin(), span.end()};
}

std::string error_of(const auto& action) {
  try {
    action();
  } catch (const BadInput& error) {
    return error.what();
  }
  return "nothing was thrown";
}

// The example of include/outerloop/train/predictor.h.
TEST(Predictor, AdaptsToThePointsOfAFunction) {
  const Predictor predictor = Predictor::open(sine_run());
  const SupportSet support = sine_support();
  const AdaptedPredictor adapted = predictor.adapt(support);
  const Tensor answers = adapted.answer(support.x);
  ASSERT_EQ(answers.shape(), Shape({10, 1}));

  const auto error_after = [&](const char* steps) {
    const Predictor some = Predictor::open(sine_run(), {.overrides = {steps}});
    const std::vector<float> said = values(some.adapt(support).answer(support.x));
    double sum = 0;
    for (size_t i = 0; i < said.size(); ++i) {
      sum += std::pow(static_cast<double>(said[i] - support.y.as<float>()[i]), 2);
    }
    return sum;
  };
  EXPECT_LT(error_after("test.steps=50"), 0.7 * error_after("test.steps=1"));
}

TEST(Predictor, AnswersDoNotDependOnHowManyAreAskedForWithoutBatchNorm) {
  const AdaptedPredictor adapted = Predictor::open(sine_run()).adapt(sine_support());
  std::vector<float> x(150);
  for (size_t i = 0; i < x.size(); ++i) x[i] = -5.0F + 0.066F * static_cast<float>(i);
  const std::vector<float> together = values(adapted.answer(column(x)));
  for (const size_t i : {size_t{0}, size_t{63}, size_t{64}, size_t{149}}) {
    EXPECT_EQ(values(adapted.answer(column({x[i]}))).front(), together[i]) << i;
  }
}

// The adaptation is kept: a later call compiles nothing and takes no inner steps but the last.
TEST(Predictor, LaterAnswersCostLittle) {
  const Tensor query = column({0.5F});
  const Predictor predictor = Predictor::open(sine_run(), {.overrides = {"test.steps=200"}});
  double first = std::numeric_limits<double>::infinity();
  double later = first;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const AdaptedPredictor adapted = predictor.adapt(sine_support());
    Stopwatch watch;
    const std::vector<float> answer = values(adapted.answer(query));
    first = std::min(first, watch.lap());
    EXPECT_EQ(values(adapted.answer(query)), answer);
    later = std::min(later, watch.lap());
  }
  EXPECT_LT(later, first / 4);
}

TEST(Predictor, AnswersAreTheSameInAnyOrderOfCalls) {
  for (const bool one_by_one : {false, true}) {
    const Predictor predictor = Predictor::open(image_run(), {.one_by_one = one_by_one});
    const Tensor one = images({{4, 5}});
    const Tensor three = images({{0, 5}, {4, 5}, {8, 5}});
    const auto fresh = [&](const Tensor& queries) {
      return values(predictor.adapt(image_support()).answer(queries));
    };
    const AdaptedPredictor kept = predictor.adapt(image_support());
    for (const Tensor& queries : {three, one, three, three, one}) {
      EXPECT_EQ(values(kept.answer(queries)), fresh(queries)) << one_by_one;
    }
  }
}

TEST(Predictor, GivesClassProbabilitiesForUnequalShots) {
  const Predictor predictor = Predictor::open(image_run());
  EXPECT_EQ(predictor.example(), Shape({12, 12, 1}));
  EXPECT_EQ(predictor.most_ways(), 3);
  EXPECT_TRUE(predictor.transductive());
  const Tensor answers =
      predictor.adapt(image_support()).answer(images({{0, 5}, {4, 5}, {8, 5}, {8, 6}}));
  ASSERT_EQ(answers.shape(), Shape({4, 3}));
  for (int row = 0; row < 4; ++row) {
    const auto p = answers.as<float>().subspan(static_cast<size_t>(row) * 3, 3);
    EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-5);
    EXPECT_GE(*std::ranges::min_element(p), 0.0F);
  }
}

TEST(Predictor, FewerClassesThanTrainedOnUseTheFirstOutputs) {
  const AdaptedPredictor adapted =
      Predictor::open(image_run())
          .adapt({.x = images({{0, 0}, {4, 0}}), .y = labels({0, 1}), .ways = 2});
  EXPECT_EQ(adapted.answer(images({{0, 3}, {4, 3}, {4, 4}})).shape(), Shape({3, 2}));
}

TEST(Predictor, OneByOneAnswersAreThoseOfSingleQueries) {
  const AdaptedPredictor adapted =
      Predictor::open(image_run(), {.one_by_one = true}).adapt(image_support());
  const std::vector<float> together = values(adapted.answer(images({{0, 5}, {4, 5}, {8, 5}})));
  const std::vector<float> alone = values(adapted.answer(images({{4, 5}})));
  EXPECT_TRUE(std::ranges::equal(alone, std::span(together).subspan(3, 3)));
  // While a batch of several mixes them.
  const AdaptedPredictor mixed = Predictor::open(image_run()).adapt(image_support());
  EXPECT_NE(values(mixed.answer(images({{0, 5}, {4, 5}, {8, 5}}))), together);
}

TEST(Predictor, NeedsNoDataSet) {
  const fs::path run = train_tiny("predictor_no_data", kTinyImages, {"outer.iterations=2"});
  fs::remove(run.parent_path() / "tiny.h5");
  const Predictor predictor = Predictor::open(run);
  ASSERT_TRUE(predictor.image_preparation());
  EXPECT_EQ(*predictor.image_preparation(), tiny_set().preparation);
  EXPECT_EQ(predictor.adapt(image_support()).answer(images({{0, 5}})).shape(), Shape({1, 3}));
}

TEST(Predictor, TakesACheckpointFileAlone) {
  const Predictor from_run = Predictor::open(sine_run());
  const fs::path file = fresh_folder("predictor_file") / "model.h5";
  fs::copy(from_run.checkpoint_file(), file);
  EXPECT_EQ(values(Predictor::open(file).adapt(sine_support()).answer(column({0.5F}))),
            values(from_run.adapt(sine_support()).answer(column({0.5F}))));
}

TEST(Predictor, SaysWhatDoesNotFit) {
  const Predictor predictor = Predictor::open(image_run());
  SupportSet four = image_support();
  four.ways = 4;
  EXPECT_EQ(error_of([&] { predictor.adapt(four); }),
            "support set: 4 classes, but the network's last layer tells at most 3 apart; use fewer "
            "classes, or train with tasks.ways=4");
  SupportSet missing = image_support();
  missing.y = labels({0, 0, 0, 0, 2});
  EXPECT_EQ(error_of([&] { predictor.adapt(missing); }), "support set: no example of class 1");
  SupportSet wrong = image_support();
  wrong.y = labels({0, 0, 1, 3, 2});
  EXPECT_EQ(error_of([&] { predictor.adapt(wrong); }),
            "support set: expected labels from 0 to 2, got 3");
  EXPECT_EQ(error_of([&] { predictor.adapt(image_support()).answer(column({1.0F})); }),
            "queries: expected float32 examples (12, 12, 1) in one or more rows, got f32 (1, 1)");
  EXPECT_NE(error_of([] { Predictor::open("/no/such/run"); }).find("no such run folder"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              Predictor::open(sine_run(), {.overrides = {"inner.rate=1"}});
            }).find("would change what was learned"),
            std::string::npos);
}

TEST(Predictor, FollowsAWordOrRefusesIt) {
  const SupportSet support = sine_support();
  const auto answers = [&](const std::vector<std::string>& words) {
    const Predictor predictor = Predictor::open(sine_run(), {.overrides = words});
    return values(predictor.adapt(support).answer(support.x));
  };
  const std::vector<float> plain = answers({});
  for (const char* word : {"test.steps=7", "inner.steps=7", "test.batch=3"}) {
    EXPECT_NE(answers({word}), plain) << word;
  }
  EXPECT_EQ(answers({"runtime.isa=scalar"}), plain) << "the same bits by other instructions";

  const std::set<std::string_view> followed{"test.steps", "test.batch", "runtime.isa"};
  for (const config::Key& key : config::schema()) {
    const bool may_be_said = key.path.starts_with("test.") || key.path.starts_with("tasks.") ||
                             key.path.starts_with("runtime.");
    if (!may_be_said || followed.contains(key.path)) continue;
    const std::string word = std::string(key.path) + "=1";
    EXPECT_CONTAINS(error_of([&] { answers({word}); }), "'" + word + "' has no effect here: ");
  }
  EXPECT_CONTAINS(error_of([&] { answers({"test.step=1"}); }), "did you mean 'test.steps'?");
}

TEST(ExampleImages, ComeFromFoldersTablesAndFiles) {
  const fs::path folder = write_images(fresh_folder("example_images") / "outer", {0, 4}, 2);
  const data::ImagePreparation preparation = tiny_set().preparation;
  const data::ExampleImages from_folder =
      data::read_example_images(folder.parent_path(), preparation);
  EXPECT_EQ(from_folder.labels,
            (std::vector<std::string>{"square10", "square10", "square14", "square14"}));
  EXPECT_EQ(from_folder.pixels, values(images({{0, 0}, {0, 1}, {4, 0}, {4, 1}})));

  write_file_atomically(folder / "table.csv", "path,label\nsquare14/1.png,a\nsquare10/0.png,b\n");
  const data::ExampleImages from_table =
      data::read_example_images(folder / "table.csv", preparation);
  EXPECT_EQ(from_table.labels, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(from_table.pixels, values(images({{4, 1}, {0, 0}})));

  const data::ExampleImages single =
      data::read_example_images(folder / "square10" / "1.png", preparation);
  EXPECT_EQ(single.labels, std::vector<std::string>{""});
  EXPECT_EQ(single.pixels, values(images({{0, 1}})));
}

TEST(ExamplePoints, ComeFromNamedColumns) {
  const fs::path folder = fresh_folder("example_points");
  write_file_atomically(folder / "a.csv", "note,y,x\nfirst,2.5,-1\n\"second, third\",+3e-1,4\n");
  const data::ExamplePoints points =
      data::read_example_points(folder / "a.csv", 1, 1, data::Targets::required);
  EXPECT_EQ(points.x, (std::vector<float>{-1, 4}));
  EXPECT_EQ(points.y, (std::vector<float>{2.5, 0.3F}));

  write_file_atomically(folder / "some.csv", "x,y\n1,2\n3,\n");
  const data::ExamplePoints some =
      data::read_example_points(folder / "some.csv", 1, 1, data::Targets::where_known);
  EXPECT_EQ(some.y.at(0), 2);
  EXPECT_TRUE(std::isnan(some.y.at(1)));

  write_file_atomically(folder / "b.csv", "x1,x2\n1,2\n3,inf\n");
  EXPECT_NE(error_of([&] {
              data::read_example_points(folder / "b.csv", 2, 1, data::Targets::where_known);
            }).find("row 3, column x2: expected a finite number, got 'inf'"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              data::read_example_points(folder / "b.csv", 3, 1, data::Targets::where_known);
            }).find("expected a column 'x3', it has x1, x2"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              data::read_example_points(folder / "none.csv", 1, 1, data::Targets::required);
            }).find("no such file or folder"),
            std::string::npos);
}

}  // namespace
}  // namespace outerloop::train
