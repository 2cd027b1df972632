#include "train/hash_file.h"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kFormat = "outerloop-hashes 1";

std::string head_of(const HashNames& names) {
  const nlohmann::ordered_json json{{"slots", names.slots}, {"parameters", names.parameters}};
  return fmt::format("{}\n{}\n", kFormat, json.dump());
}

void put(std::string& bytes, std::span<const uint32_t> words) {
  bytes.append(reinterpret_cast<const char*>(words.data()), words.size_bytes());
}

void take(const char*& from, std::vector<uint32_t>& words, size_t count) {
  words.resize(count);
  std::memcpy(words.data(), from, count * sizeof(uint32_t));
  from += count * sizeof(uint32_t);
}

// Cuts the file for a run that goes on; starts it where it cannot be gone on with.
fs::path prepared(const fs::path& file, const HashNames& names, int64_t iteration) {
  try {
    const HashFile earlier(file);
    if (iteration > 0 && earlier.names() == names) {
      fs::resize_file(file, earlier.bytes_until(earlier.after(iteration)));
      return file;
    }
  } catch (const BadInput&) {  // none yet
  } catch (const CorruptFile&) {
  }
  write_file_atomically(file, head_of(names));
  return file;
}

}  // namespace

HashNames hash_names(const config::Config& config, const optim::ThetaLayout& layout) {
  HashNames names{.slots = config.outer.meta_batch};
  for (const optim::ThetaEntry& entry : layout.entries) names.parameters.push_back(entry.name);
  return names;
}

HashFile::HashFile(const fs::path& file) : content_(read_file(file)) {
  const size_t first = content_.find('\n');
  const size_t second = first == content_.npos ? first : content_.find('\n', first + 1);
  const auto refuse = [&](const char* what) {
    throw CorruptFile(fmt::format("{}: damaged: {}", file.string(), what));
  };
  if (second == content_.npos || content_.compare(0, first, kFormat) != 0) {
    refuse("its first line is not 'outerloop-hashes 1'");
  }
  const auto json = nlohmann::json::parse(content_.substr(first + 1, second - first - 1), nullptr,
                                          /*allow_exceptions=*/false);
  try {
    names_.slots = json.at("slots").get<int64_t>();
    names_.parameters = json.at("parameters").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    refuse("its second line does not name slots and parameters");
  }
  begin_ = second + 1;
}

size_t HashFile::rows() const {
  return (content_.size() - begin_) / names_.row_bytes();
}

int64_t HashFile::iteration(size_t place) const {
  int64_t iteration = 0;
  std::memcpy(&iteration, content_.data() + bytes_until(place), sizeof(iteration));
  return iteration;
}

HashRow HashFile::row(size_t place) const {
  HashRow row{.iteration = iteration(place)};
  const char* from = content_.data() + bytes_until(place) + sizeof(int64_t);
  take(from, row.state, names_.parameters.size());
  take(from, row.slots, static_cast<size_t>(names_.slots));
  take(from, row.gradients, names_.parameters.size());
  return row;
}

size_t HashFile::after(int64_t iteration_before) const {
  size_t low = 0, high = rows();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (iteration(middle) > iteration_before) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

std::optional<HashRow> HashFile::find(int64_t wanted) const {
  const size_t place = after(wanted - 1);
  if (place == rows() || iteration(place) != wanted) return std::nullopt;
  return row(place);
}

HashWriter::HashWriter(const fs::path& file, const HashNames& names, int64_t iteration)
    : file_(prepared(file, names, iteration)) {}

void HashWriter::append(std::span<const HashRow> rows) {
  std::string bytes;
  for (const HashRow& row : rows) {
    bytes.append(reinterpret_cast<const char*>(&row.iteration), sizeof(row.iteration));
    put(bytes, row.state);
    put(bytes, row.slots);
    put(bytes, row.gradients);
  }
  file_.append(bytes);
}

}  // namespace outerloop::train
