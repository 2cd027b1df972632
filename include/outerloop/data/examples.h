#pragma once
// A person's own few examples, from files: what prediction adapts to and what it answers.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "outerloop/data/image_set.h"
#include "outerloop/data/table_set.h"

namespace outerloop::data {

// One entry each per image.
struct ExampleImages {
  std::vector<std::string> names;   // path inside the folder, archive or table
  std::vector<std::string> labels;  // "" where there is none
  std::vector<float> pixels;        // (image, height, width, channels) in [0, 1]
};

enum class Labels : uint8_t { where_known, required };

// The source is told from what it is:
//   a folder or zip archive   label = folder, parts joined by '/', without a folder around all
//   a CSV file                columns path (seen from the table's folder) and maybe label
//   an image file             one image without a label
// Throws BadInput when there is none of these, or naming the image that cannot be read or has no
// label where one is required.
ExampleImages read_example_images(const std::filesystem::path& source,
                                  const ImagePreparation& preparation,
                                  Labels labels = Labels::where_known);

// The files that it reads: the source itself, or a folder's images; of a table those that it names
// too.
std::vector<std::filesystem::path> example_image_files(const std::filesystem::path& source);

struct ExamplePoints {
  std::vector<std::string> columns;  // of x
  std::vector<float> x;              // (row, inputs)
  std::vector<float> y;  // (row, outputs); NaN where not known; empty without columns of them
  int64_t rows = 0;
};

// A CSV file with a header. Inputs are in the columns x1, x2, … (or x, if there is one), targets in
// y1, y2, … (or y); others are passed over. Throws BadInput when columns are missing or a value is
// no finite number; targets that are not required may lack their columns or cells.
ExamplePoints read_example_points(const std::filesystem::path& file, int64_t inputs,
                                  int64_t outputs, Targets targets);

}  // namespace outerloop::data
