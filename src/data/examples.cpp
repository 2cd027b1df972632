#include "outerloop/data/examples.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "data/file_tree.h"
#include "data/pixels.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/data/csv_table.h"
#include "outerloop/data/image_file.h"

namespace outerloop::data {
namespace {

namespace fs = std::filesystem;

enum class Source { tree, table, image };

Source source_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    throw BadInput(fmt::format("{}: no such file or folder", path.string()));
  }
  if (fs::is_directory(status)) return Source::tree;
  const std::string ending = lower_case(path.extension().string());
  if (ending == ".csv") return Source::table;
  return ending == ".zip" ? Source::tree : Source::image;
}

void append(ExampleImages& images, const std::string& name, const std::string& label,
            std::span<const float> pixels) {
  images.names.push_back(name);
  images.labels.push_back(label);
  images.pixels.insert(images.pixels.end(), pixels.begin(), pixels.end());
}

// A folder around all others says nothing.
void drop_outer_folder(std::vector<std::string>& labels) {
  const std::string outer = outer_folder(labels);
  if (outer.empty()) return;
  for (std::string& label : labels) label.erase(0, outer.size() + 1);
}

ExampleImages from_tree(const fs::path& path, const ImagePreparation& preparation) {
  ExampleImages images;
  std::vector<float> pixels;
  for (const NamedImage& image : read_images(path, preparation)) {
    pixels.resize(image.image.pixels.size());
    scale_pixels(image.image.pixels, pixels);
    append(images, image.name, image.label, pixels);
  }
  drop_outer_folder(images.labels);
  return images;
}

size_t column_of(const CsvTable& table, std::string_view name, const fs::path& file) {
  if (const auto column = table.column(name)) return *column;
  throw BadInput(fmt::format("{}: expected a column '{}', it has {}{}", file.string(), name,
                             fmt::join(table.columns, ", "), header_hint(table.columns)));
}

CsvTable read_table(const fs::path& file) {
  CsvTable table = parse_csv(read_file(file), file.string());
  if (table.rows.empty())
    throw BadInput(fmt::format("{}: no rows below the header", file.string()));
  return table;
}

size_t path_column(const CsvTable& table, const fs::path& file) {
  if (const auto column = table.column("path")) return *column;
  throw BadInput(fmt::format("{}: expected a first line with the columns path and label, it is {}",
                             file.string(), fmt::join(table.columns, ",")));
}

fs::path image_named_in(const fs::path& table, const std::string& cell) {
  return table.parent_path() / trimmed(cell);
}

ExampleImages from_table(const fs::path& file, const ImagePreparation& preparation, Labels labels) {
  const CsvTable table = read_table(file);
  const size_t path = path_column(table, file);
  const auto label =
      labels == Labels::required ? column_of(table, "label", file) : table.column("label");
  ExampleImages images;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    const std::string name(trimmed(row[path]));
    const fs::path image = image_named_in(file, row[path]);
    if (std::error_code error; !fs::is_regular_file(image, error)) {
      throw BadInput(fmt::format("{}: row {}, column path: no such file: {}", file.string(),
                                 table.lines[i], image.string()));
    }
    const std::string known(label ? trimmed(row[*label]) : "");
    if (known.empty() && labels == Labels::required) {
      throw BadInput(fmt::format("{}: row {}, column label: empty; write the class of {} there",
                                 file.string(), table.lines[i], name));
    }
    append(images, name, known, load_image(image, preparation));
  }
  return images;
}

// "x" alone where there is one, or "x1" … "x<count>".
std::vector<size_t> numbered_columns(const CsvTable& table, const std::string& stem, int64_t count,
                                     const fs::path& file) {
  if (count == 1 && !table.column(stem + "1")) return {column_of(table, stem, file)};
  std::vector<size_t> columns;
  for (int64_t i = 1; i <= count; ++i) {
    columns.push_back(column_of(table, fmt::format("{}{}", stem, i), file));
  }
  return columns;
}

bool has_targets(const CsvTable& table, int64_t outputs) {
  if (outputs == 1 && table.column("y")) return true;
  for (int64_t i = 1; i <= outputs; ++i) {
    if (!table.column(fmt::format("y{}", i))) return false;
  }
  return true;
}

float number_in(const std::string& text, const fs::path& file, size_t line,
                const std::string& column) {
  if (const auto value = parse_number<float>(text)) return *value;
  throw BadInput(fmt::format("{}: row {}, column {}: expected a finite number, got '{}'",
                             file.string(), line, column, text));
}

// NaN for missing cells where these may be.
std::vector<float> numbers(const CsvTable& table, const std::vector<size_t>& columns,
                           const fs::path& file, Targets cells = Targets::required) {
  std::vector<float> values;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    for (const size_t column : columns) {
      const std::string& cell = table.rows[row][column];
      const bool is_unknown = cells == Targets::where_known && is_missing(trimmed(cell));
      values.push_back(is_unknown ? std::numeric_limits<float>::quiet_NaN()
                                  : number_in(cell, file, table.lines[row], table.columns[column]));
    }
  }
  return values;
}

void require_class_folders(const ExampleImages& images, const fs::path& source) {
  const auto unlabelled = std::ranges::find(images.labels, "");
  if (unlabelled == images.labels.end()) return;
  throw BadInput(fmt::format(
      "{}: '{}' lies in no class folder; expected SUPPORT/<class>/<image>, or a CSV file with the "
      "columns path,label",
      source.string(), images.names[static_cast<size_t>(unlabelled - images.labels.begin())]));
}

}  // namespace

ExampleImages read_example_images(const fs::path& source, const ImagePreparation& preparation,
                                  Labels labels) {
  const Source kind = source_of(source);
  if (kind == Source::table) return from_table(source, preparation, labels);
  ExampleImages images;
  if (kind == Source::tree) {
    images = from_tree(source, preparation);
  } else {
    append(images, source.filename().string(), "", load_image(source, preparation));
  }
  if (labels == Labels::required) require_class_folders(images, source);
  return images;
}

std::vector<fs::path> example_image_files(const fs::path& source) {
  const Source kind = source_of(source);
  if (kind == Source::tree) return image_files(source);
  std::vector<fs::path> files{source};
  if (kind == Source::image) return files;
  const CsvTable table = read_table(source);
  const size_t path = path_column(table, source);
  for (const auto& row : table.rows) files.push_back(image_named_in(source, row[path]));
  return files;
}

ExamplePoints read_example_points(const fs::path& file, int64_t inputs, int64_t outputs,
                                  Targets targets) {
  if (source_of(file) == Source::tree) {
    throw BadInput(fmt::format("{}: expected a CSV file with columns of numbers", file.string()));
  }
  const CsvTable table = read_table(file);
  const std::vector<size_t> x = numbered_columns(table, "x", inputs, file);
  ExamplePoints points{.rows = static_cast<int64_t>(table.rows.size())};
  for (const size_t column : x) points.columns.push_back(table.columns[column]);
  points.x = numbers(table, x, file);
  if (targets == Targets::required || has_targets(table, outputs)) {
    points.y = numbers(table, numbered_columns(table, "y", outputs, file), file, targets);
  }
  return points;
}

}  // namespace outerloop::data
