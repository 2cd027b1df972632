#include "interp/run_classes.h"

#include <algorithm>
#include <map>

#include "interp/line_pieces.h"

namespace outerloop::interp {
namespace {

constexpr size_t kMostClasses = 12;
constexpr int64_t kMeanTasks = 64;  // whose queries make the mean image

// Of the tasks that a class is in, by name: a class that is turned is another one.
struct Seen {
  int64_t tasks = 0;
  std::vector<std::vector<double>> values;  // (group, task)
  std::pair<int64_t, size_t> example;       // first task, label
};

void add_task(const RunImportanceJob& job, std::span<const double> values, size_t groups,
              const std::vector<std::string>& names, int64_t task,
              std::map<std::string, Seen>& classes) {
  for (size_t label = 0; label < names.size(); ++label) {
    Seen& seen = classes[names[label]];
    if (seen.tasks++ == 0) seen.example = {task, label};
    seen.values.resize(groups);
  }
  const auto& columns = job.task_columns();
  for (size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].label < 0) continue;
    Seen& seen = classes[names[static_cast<size_t>(columns[c].label)]];
    seen.values[columns[c].group].push_back(values[c]);
  }
}

std::vector<float> image_of(const RunProblem& problem, data::Episode& episode,
                            std::pair<int64_t, size_t> example) {
  problem.setup.test_tasks->draw(problem.key_of(static_cast<uint64_t>(example.first)),
                                 episode.buffers());
  const auto labels = episode.query_y.as<int32_t>();
  const auto row = static_cast<size_t>(
      std::ranges::find(labels, static_cast<int32_t>(example.second)) - labels.begin());
  const auto size = static_cast<size_t>(problem.setup.test_shape.example.elements());
  const auto pixels = episode.query_x.as<float>().subspan(row * size, size);
  return {pixels.begin(), pixels.end()};
}

std::vector<int32_t> regions_of(const RunProblem& problem, const std::vector<float>& image) {
  if (!problem.scoring.lines) return problem.regions;
  const LineGroups& lines = *problem.scoring.lines;
  return line_pieces(image, {lines.height, lines.width}, lines.most);
}

std::vector<float> mean_image(const RunProblem& problem, data::Episode& episode, int64_t tasks) {
  const auto size = static_cast<size_t>(problem.setup.test_shape.example.elements());
  std::vector<double> sums(size);
  for (int64_t task = 0; task < tasks; ++task) {
    problem.setup.test_tasks->draw(problem.key_of(static_cast<uint64_t>(task)), episode.buffers());
    const auto pixels = episode.query_x.as<float>();
    for (size_t i = 0; i < pixels.size(); ++i) sums[i % size] += static_cast<double>(pixels[i]);
  }
  const auto images = static_cast<double>(tasks * problem.setup.test_shape.query_rows);
  std::vector<float> mean;
  for (const double sum : sums) mean.push_back(static_cast<float>(sum / images));
  return mean;
}

}  // namespace

void add_classes(const RunProblem& problem, const DoneRound& round, RunImportance& result) {
  if (problem.scoring.classes == 0) return;
  std::map<std::string, Seen> classes;
  const data::TaskFamily& tasks = *problem.setup.test_tasks;
  for (size_t cell = 0; cell < round.results->cells(); ++cell) {
    if (!round.is_finite(cell)) continue;
    const int64_t task = round.job->round().first + static_cast<int64_t>(cell);
    add_task(*round.job, round.results->values(cell), problem.scoring.groups.size(),
             tasks.describe(problem.key_of(static_cast<uint64_t>(task))).class_names, task,
             classes);
  }
  data::Episode episode(tasks.spec());
  std::vector<std::pair<std::string, Seen>> order(classes.begin(), classes.end());
  std::ranges::stable_sort(order, std::greater(),
                           [](const auto& entry) { return entry.second.tasks; });
  order.resize(std::min(order.size(), kMostClasses));
  for (const auto& [name, seen] : order) {
    ClassFinding& one = result.classes.emplace_back();
    one.name = name;
    one.tasks = seen.tasks;
    for (const auto& values : seen.values) one.groups.push_back(mean_interval(values));
    one.image = image_of(problem, episode, seen.example);
    one.regions = regions_of(problem, one.image);
  }
  const auto cells = static_cast<int64_t>(round.results->cells());
  result.mean_image = mean_image(problem, episode, std::min(kMeanTasks, cells));
}

}  // namespace outerloop::interp
