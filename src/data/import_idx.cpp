#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "data/decode.h"
#include "data/gzip_file.h"
#include "data/image_set_builder.h"
#include "data/splits.h"
#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"
#include "outerloop/data/csv_table.h"
#include "outerloop/data/image_file.h"
#include "outerloop/data/import.h"

namespace outerloop::data {
namespace {

// The IDX format (LeCun, MNIST page): 0, 0, element type, rank, big-endian extents, elements.
struct Idx {
  int element_bytes = 1;
  std::vector<uint32_t> extents;
  std::string_view elements;
};

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

// `axes`: the names of the dimensions that it must have.
Idx parse_idx(std::string_view file, const std::string& where,
              const std::vector<std::string_view>& axes) {
  const auto fail = [&](const std::string& what) {
    throw BadInput(fmt::format("{}: not a good IDX file: {}", where, what));
  };
  if (file.size() < 4 || file[0] != 0 || file[1] != 0) fail("it does not start with its magic");
  const std::map<int, int> bytes_of_type = {{0x08, 1}, {0x0B, 2}, {0x0C, 4}};
  const auto type = bytes_of_type.find(static_cast<uint8_t>(file[2]));
  if (type == bytes_of_type.end()) fail("its elements are not bytes, shorts or ints");
  const auto rank = static_cast<size_t>(static_cast<uint8_t>(file[3]));
  if (rank != axes.size()) {
    fail(fmt::format("it has {}, expected {} ({})", counted(rank, "dimension"), axes.size(),
                     fmt::join(axes, ", ")));
  }
  if (file.size() < 4 + 4 * rank) fail("its header is cut short");
  Idx idx{.element_bytes = type->second};
  uint64_t bytes = static_cast<uint64_t>(idx.element_bytes);
  for (size_t axis = 0; axis < rank; ++axis) {
    idx.extents.push_back(big_endian(file.substr(4 + 4 * axis, 4)));
    if (idx.extents.back() == 0 || bytes > file.size()) fail("its extents do not fit its size");
    bytes *= idx.extents.back();
  }
  idx.elements = file.substr(4 + 4 * rank);
  if (idx.elements.size() != bytes) {
    fail(fmt::format("it holds {} bytes of elements, expected {}", idx.elements.size(), bytes));
  }
  return idx;
}

struct ClassInfo {
  std::string name;
  std::string group;
  std::string split;  // as in the table, empty without that column
};

std::optional<size_t> first_column(const CsvTable& table,
                                   std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (const auto column = table.column(name)) return column;
  }
  return std::nullopt;
}

std::map<int64_t, ClassInfo> read_class_table(const std::filesystem::path& path) {
  const std::string where = path.string();
  const CsvTable table = parse_csv(read_maybe_gzip(path), where);
  const auto number = table.column("class");
  if (!number) throw BadInput(fmt::format("{}: the class table needs a column 'class'", where));
  const auto name = table.column("name");
  const auto group = first_column(table, {"group", "alphabet", "script_name", "script"});
  const auto split = table.column("split");
  std::map<int64_t, ClassInfo> classes;
  for (const std::vector<std::string>& row : table.rows) {
    int64_t label = 0;
    const std::string& text = row[*number];
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), label);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
      throw BadInput(fmt::format("{}: class '{}' is not a whole number", where, text));
    }
    const auto field = [&](const std::optional<size_t>& column) {
      return column ? row[*column] : std::string();
    };
    if (!classes.emplace(label, ClassInfo{field(name), field(group), field(split)}).second) {
      throw BadInput(fmt::format("{}: class {} comes twice", where, label));
    }
  }
  return classes;
}

// Labels in front, so that classes sort in their order and equal names stay apart.
std::string class_name(int64_t label, const ClassInfo& info) {
  return info.name.empty() ? fmt::format("{:05}", label)
                           : fmt::format("{:05} {}", label, info.name);
}

size_t split_index(const std::string& text, const std::string& where) {
  if (const auto split = split_named(text)) return static_cast<size_t>(*split);
  throw BadInput(fmt::format("{}: split '{}': expected train, validation or test", where, text));
}

int64_t label_at(const Idx& labels, size_t index) {
  const auto bytes = static_cast<size_t>(labels.element_bytes);
  const uint32_t raw = big_endian(labels.elements.substr(index * bytes, bytes));
  if (bytes == 1) return raw;
  return bytes == 2 ? static_cast<int16_t>(raw) : static_cast<int32_t>(raw);
}

}  // namespace

ImageSet import_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                    const std::filesystem::path& class_table, const ImageImportOptions& options) {
  const std::string image_file = read_maybe_gzip(images);
  const std::string label_file = read_maybe_gzip(labels);
  const Idx pixels = parse_idx(image_file, images.string(), {"images", "height", "width"});
  const Idx classes = parse_idx(label_file, labels.string(), {"labels"});
  if (pixels.element_bytes != 1) {
    throw BadInput(fmt::format("{}: expected a byte for each pixel, its elements have {}",
                               images.string(), pixels.element_bytes));
  }
  if (classes.extents[0] != pixels.extents[0]) {
    throw BadInput(fmt::format("{}: expected {} labels, one for each image of {}, got {}",
                               labels.string(), pixels.extents[0], images.string(),
                               classes.extents[0]));
  }
  const auto table =
      class_table.empty() ? std::map<int64_t, ClassInfo>{} : read_class_table(class_table);

  check_size(pixels.extents[1], pixels.extents[2], images.string());
  ImageSetBuilder builder(options.preparation);
  std::map<std::string, ClassInfo> used;
  Image image{static_cast<int>(pixels.extents[1]), static_cast<int>(pixels.extents[2]), 1, {}};
  const size_t size = size_t{pixels.extents[1]} * pixels.extents[2];
  for (size_t i = 0; i < pixels.extents[0]; ++i) {
    const int64_t label = label_at(classes, i);
    const auto known = table.find(label);
    if (label < 0 || (known == table.end() && !class_table.empty())) {
      throw BadInput(
          fmt::format("{}: label {} of image {} is in no class table", labels.string(), label, i));
    }
    const ClassInfo info = known == table.end() ? ClassInfo{} : known->second;
    const std::string_view raw = pixels.elements.substr(i * size, size);
    image.pixels.assign(raw.begin(), raw.end());
    const std::string name = class_name(label, info);
    builder.add(name, info.group, prepare(image, options.preparation).pixels);
    used.emplace(name, info);
  }

  ImageSet set = builder.build();
  set.name = options.name.empty() ? images.filename().string() : options.name;
  set.licence = options.licence;
  set.source = images.filename().string();
  const bool has_splits =
      std::ranges::any_of(used, [](const auto& entry) { return !entry.second.split.empty(); });
  set.default_split = has_splits ? "table" : "fractions";
  SplitScheme& scheme = set.splits[set.default_split];
  if (!has_splits) {
    scheme = dealt_split(set.class_names.size(), options);
    return set;
  }
  refuse_dealing(options, "the column split of " + class_table.string());
  for (size_t c = 0; c < set.class_names.size(); ++c) {
    const size_t split = split_index(used.at(set.class_names[c]).split, class_table.string());
    scheme.classes.at(split).push_back(static_cast<int32_t>(c));
  }
  return set;
}

}  // namespace outerloop::data
