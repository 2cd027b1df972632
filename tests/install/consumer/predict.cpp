// What another project would write: adapts a trained run to a few labelled images, answers others.
//   predict RUN SUPPORT_FOLDER QUERY_FOLDER
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/data/examples.h"
#include "outerloop/train/predictor.h"

namespace {

using namespace outerloop;

// (image, height, width, channels)
Tensor tensor_of(const data::ExampleImages& images, const Shape& example) {
  Shape shape{static_cast<int64_t>(images.names.size())};
  for (const int64_t extent : example) shape.append(extent);
  return Tensor::from<float>(shape, images.pixels);
}

int predict(const char* run, const char* support_folder, const char* query_folder) {
  const auto predictor = train::Predictor::open(run);
  if (!predictor.image_preparation()) throw BadInput("expected a run on images");
  const auto support = data::read_example_images(support_folder, *predictor.image_preparation());
  const auto queries = data::read_example_images(query_folder, *predictor.image_preparation());

  const std::set<std::string> names(support.labels.begin(), support.labels.end());
  std::vector<int32_t> labels;
  for (const std::string& label : support.labels) {
    labels.push_back(static_cast<int32_t>(std::distance(names.begin(), names.find(label))));
  }
  const auto rows = static_cast<int64_t>(labels.size());
  const auto adapted = predictor.adapt({.x = tensor_of(support, predictor.example()),
                                        .y = Tensor::from<int32_t>({rows}, labels),
                                        .ways = static_cast<int64_t>(names.size())});
  const Tensor answers = adapted.answer(tensor_of(queries, predictor.example()));

  const auto probabilities = answers.as<float>();  // (query, class)
  for (size_t i = 0; i < queries.names.size(); ++i) {
    const auto row = probabilities.subspan(i * names.size(), names.size());
    const auto best = std::max_element(row.begin(), row.end());
    const std::string& name = *std::next(names.begin(), best - row.begin());
    std::printf("%s: %s (%.0f %%)\n", queries.names[i].c_str(), name.c_str(), 100 * *best);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: predict RUN SUPPORT_FOLDER QUERY_FOLDER\n");
    return 2;
  }
  try {
    return predict(argv[1], argv[2], argv[3]);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
