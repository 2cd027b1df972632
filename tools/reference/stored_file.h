#pragma once
// A reference file in HDF5 that knows which of its data sets were looked at, so that none is passed
// over in silence.

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::reference {

// As io::Hdf5File, which says what is thrown.
class StoredFile {
 public:
  explicit StoredFile(const std::filesystem::path& file) : file_(io::Hdf5File::open_read(file)) {}

  const std::filesystem::path& path() const { return file_.path(); }
  bool exists(std::string_view name) const { return file_.exists(name); }
  bool is_group(std::string_view name) const { return file_.is_group(name); }
  std::vector<std::string> list(std::string_view group = "/") const { return file_.list(group); }
  io::DatasetInfo info(std::string_view dataset) const { return file_.info(dataset); }
  bool has_attribute(std::string_view object, std::string_view name) const {
    return file_.has_attribute(object, name);
  }
  std::string attribute_text(std::string_view object, std::string_view name) const {
    return file_.attribute_text(object, name);
  }
  Tensor read(std::string_view dataset) const {
    read_.emplace(dataset);
    return file_.read(dataset);
  }
  // Throws BadInput where its shape is another.
  Tensor read(std::string_view dataset, const Shape& shape) const {
    Tensor stored = read(dataset);
    if (stored.shape() == shape) return stored;
    throw BadInput(fmt::format("{}: {}: expected the shape {}, got {}", path().string(), dataset,
                               to_string(shape), to_string(stored.shape())));
  }

  // Paths of all data sets that read() has not been asked for.
  std::vector<std::string> unread() const {
    std::vector<std::string> names = file_.list_datasets();
    std::erase_if(names, [&](const std::string& name) { return read_.contains(name); });
    return names;
  }

 private:
  io::Hdf5File file_;
  mutable std::set<std::string, std::less<>> read_;
};

}  // namespace outerloop::reference
