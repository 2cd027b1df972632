#include "report/gather_examples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/error.h"
#include "outerloop/train/stored_run.h"
#include "outerloop/train/theta.h"

namespace outerloop::report {
namespace {

// What one page can show of a task.
constexpr size_t kMostQueries = 10;
constexpr size_t kMostShots = 5;
constexpr int kMostPixels = 40;  // of an image's side
constexpr int kCurvePoints = 256;

data::TaskKey test_task(const config::Config& config, int64_t slot) {
  return {.seed = static_cast<uint64_t>(config.seed),
          .split = data::Split::test,
          .slot = static_cast<uint32_t>(slot)};
}

// Row `row` of images (row, height, width, channels) in [0, 1].
data::Image image_of(const Tensor& images, int64_t row) {
  const Shape& shape = images.shape();
  data::Image image{.height = static_cast<int>(shape[1]),
                    .width = static_cast<int>(shape[2]),
                    .channels = static_cast<int>(shape[3])};
  const auto size = static_cast<size_t>(shape.elements() / shape[0]);
  for (const float value : images.as<float>().subspan(static_cast<size_t>(row) * size, size)) {
    image.pixels.push_back(static_cast<uint8_t>(std::lround(255.0F * value)));
  }
  const int largest = std::max(image.height, image.width);
  if (largest <= kMostPixels) return image;
  return data::resize_lanczos(image, std::max(1, image.height * kMostPixels / largest),
                              std::max(1, image.width * kMostPixels / largest));
}

std::vector<float> probabilities(const Tensor& logits, int64_t row) {
  const auto ways = static_cast<size_t>(logits.shape()[1]);
  const auto values = logits.as<float>().subspan(static_cast<size_t>(row) * ways, ways);
  std::vector<float> result(values.begin(), values.end());
  train::to_probabilities(result);
  return result;
}

ImageTask image_task(const train::Evaluator& evaluator, const data::TaskFamily& family,
                     const data::TaskKey& key) {
  data::Episode episode(family.spec());
  family.draw(key, episode.buffers());
  const std::vector<Tensor> answers = evaluator.answer(episode, key.seed);
  const data::TaskDescription description = family.describe(key);
  ImageTask task{.group = description.group, .class_names = description.class_names};
  const data::EpisodeShape& shape = family.shape();
  for (int c = 0; c < shape.ways; ++c) {
    auto& images = task.support.emplace_back();
    for (int shot = 0; shot < std::min<int>(shape.shots, kMostShots); ++shot) {
      images.push_back(image_of(episode.support_x, c * shape.shots + shot));
    }
  }
  // The first query of each class, then the second of each, …
  for (int q = 0; q < shape.queries; ++q) {
    for (int c = 0; c < shape.ways && task.queries.size() < kMostQueries; ++c) {
      const int64_t row = c * shape.queries + q;
      ImageQuery query{.image = image_of(episode.query_x, row), .truth = static_cast<size_t>(c)};
      query.before = probabilities(answers.front(), row);
      if (answers.size() > 1) query.after = probabilities(answers.back(), row);
      task.queries.push_back(std::move(query));
    }
  }
  return task;
}

std::vector<Place> places(const Tensor& x, const Tensor& y) {
  std::vector<Place> result;
  for (size_t i = 0; i < x.as<float>().size(); ++i) {
    result.push_back(
        {static_cast<double>(x.as<float>()[i]), static_cast<double>(y.as<float>()[i])});
  }
  std::ranges::stable_sort(result, {}, &Place::x);
  return result;
}

std::string parameters_in_words(const data::TaskDescription& description) {
  std::string text;
  for (const auto& [name, value] : description.parameters) {
    text += fmt::format("{}{} {:.3g}", text.empty() ? "" : ", ", name, value);
  }
  std::ranges::replace(text, '_', ' ');
  return text;
}

// Functions are shown at many query points without noise: a task draws its function first, so the
// number of queries does not change it.
class CurveExamples {
 public:
  CurveExamples(const train::Setup& setup, const Tensor& theta, ThreadPool& pool)
      : setup_(setup),
        dense_(dense_family(setup)),
        evaluator_(setup.learner, train::task_shape(*dense_), setup.test_steps, dense_, pool,
                   train::compile_options(setup.config)) {
    evaluator_.set_theta(theta);
  }

  CurveTask task(const data::TaskKey& key) const {
    const data::TaskFamily& family = *setup_.test_tasks;
    data::Episode drawn(family.spec());
    family.draw(key, drawn.buffers());
    data::Episode episode(dense_->spec());
    dense_->draw(key, episode.buffers());
    episode.support_x = drawn.support_x;
    episode.support_y = drawn.support_y;
    const std::vector<Tensor> answers = evaluator_.answer(episode, key.seed);
    CurveTask task{.name = parameters_in_words(family.describe(key)),
                   .truth = places(episode.query_x, episode.query_y),
                   .support = places(drawn.support_x, drawn.support_y)};
    const size_t last = answers.size() - 1;
    for (size_t step : {size_t{0}, size_t{1}, last}) {
      if (step > last || (!task.predictions.empty() &&
                          task.predictions.back().step == static_cast<int64_t>(step))) {
        continue;
      }
      task.predictions.push_back(
          {static_cast<int64_t>(step), places(episode.query_x, answers[step])});
    }
    return task;
  }

 private:
  static std::shared_ptr<const data::TaskFamily> dense_family(const train::Setup& setup) {
    config::Config config = setup.config;
    config.tasks.harmonic.noise = 0;
    config::Protocol protocol = config::test_protocol(config);
    // Where the answers to queries depend on each other, only the protocol's are those of the test.
    const bool coupled = config.model.norm == config::Norm::batch && config.learner.transductive;
    if (!coupled) protocol.queries = kCurvePoints;
    return train::make_family(config, protocol, setup.data);
  }

  const train::Setup& setup_;
  std::shared_ptr<const data::TaskFamily> dense_;
  train::Evaluator evaluator_;
};

// A table's answers are standardised.
RowTask row_task(const train::Evaluator& evaluator, const data::TaskFamily& family,
                 const data::TablePreparation& preparation, const data::TaskKey& key) {
  data::Episode episode(family.spec());
  family.draw(key, episode.buffers());
  const std::vector<Tensor> answers = evaluator.answer(episode, key.seed);
  const auto pairs = [&](const Tensor& predicted) {
    const auto number = [&](float y) {
      return preparation.target_mean + preparation.target_scale * static_cast<double>(y);
    };
    std::vector<Place> places;
    for (size_t row = 0; row < predicted.as<float>().size(); ++row) {
      places.push_back(
          {number(episode.query_y.as<float>()[row]), number(predicted.as<float>()[row])});
    }
    return places;
  };
  RowTask task{.name = family.describe(key).group, .target = preparation.target};
  task.before = pairs(answers.front());
  task.after = pairs(answers.back());
  return task;
}

void add_tasks(const std::filesystem::path& run, int64_t count, ReportData& data) {
  const train::StoredRun stored = train::open_run(run);
  const config::Config& config = stored.config.config;
  const train::Setup setup = train::make_setup(stored);
  setup.test_tasks->check(data::Split::test);
  const Tensor theta =
      train::answering_theta(stored.checkpoint, train::layout_of(setup.learner.parameters));
  ThreadPool pool(1);
  if (!data.classification && !setup.data.table) {
    const CurveExamples examples(setup, theta, pool);
    for (int64_t slot = 0; slot < count; ++slot) {
      data.curve_tasks.push_back(examples.task(test_task(config, slot)));
    }
    return;
  }
  train::Evaluator evaluator(setup.learner, setup.test_shape, setup.test_steps, setup.test_tasks,
                             pool, train::compile_options(config));
  evaluator.set_theta(theta);
  if (setup.data.table && data.classification) {
    throw BadInput("rows of a table with classes are not drawn");
  }
  for (int64_t slot = 0; slot < count; ++slot) {
    if (setup.data.table) {
      data.row_tasks.push_back(row_task(evaluator, *setup.test_tasks, setup.data.table->preparation,
                                        test_task(config, slot)));
      continue;
    }
    data.image_tasks.push_back(image_task(evaluator, *setup.test_tasks, test_task(config, slot)));
    data.image_tasks.back().ink_is_high = setup.data.images->preparation.invert;
  }
}

}  // namespace

void gather_examples(const std::filesystem::path& run, int64_t count, ReportData& data) {
  if (count == 0) return;
  try {
    add_tasks(run, count, data);
  } catch (const BadInput& error) {
    data.no_examples = error.what();
  } catch (const CorruptFile& error) {
    data.no_examples = error.what();
  }
}

}  // namespace outerloop::report
