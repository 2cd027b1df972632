#include "io/hdf5_handle.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::io {
namespace {

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

}  // namespace

Hdf5Call::Hdf5Call() : lock_(library_mutex()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

// HDF5 describes a failed system call with pointers and offsets; only the reason helps a reader.
std::string last_hdf5_message() {
  std::string message;
  const auto take_first = [](unsigned, const H5E_error2_t* error, void* target) -> herr_t {
    auto& text = *static_cast<std::string*>(target);
    if (text.empty() && error->desc != nullptr) text = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &message);
  H5Eclear2(H5E_DEFAULT);
  constexpr std::string_view kReason = "error message = '";
  if (const size_t at = message.find(kReason); at != std::string::npos) {
    message.erase(0, at + kReason.size());
    message.erase(std::min(message.find('\''), message.size()));
  }
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message.empty() ? "unknown HDF5 error" : message;
}

void throw_hdf5_error(const Hdf5Place& place, const char* step, const std::string& reason,
                      const std::string& where) {
  const std::string object = place.object.empty() ? "" : " " + absolute(place.object);
  const std::string text =
      fmt::format("{}:{}{}: cannot {}: {}", place.file.string(), object, where, step, reason);
  if (place.writing || reason == "Input/output error") throw SystemFailure(text);
  throw CorruptFile(text);
}

std::string absolute(std::string_view name) {
  while (name.starts_with('/')) name.remove_prefix(1);
  while (name.ends_with('/')) name.remove_suffix(1);
  return "/" + std::string(name);
}

bool path_exists(hid_t file, const Hdf5Place& place) {
  const std::string path = absolute(place.object);
  if (path == "/") return true;
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (check(H5Lexists(file, part.c_str(), H5P_DEFAULT), place, "look up") == 0) return false;
    // A link may lead nowhere.
    if (check(H5Oexists_by_name(file, part.c_str(), H5P_DEFAULT), place, "look up") == 0)
      return false;
  }
  return true;
}

Hdf5Id open_object(hid_t file, const Hdf5Place& place) {
  if (!path_exists(file, place))
    throw BadInput(fmt::format("{}: has no {}", place.file.string(), absolute(place.object)));
  return own(H5Oopen(file, absolute(place.object).c_str(), H5P_DEFAULT), H5Oclose, place, "open");
}

Hdf5Id open_dataset(hid_t file, const Hdf5Place& place) {
  Hdf5Id object = open_object(file, place);
  if (H5Iget_type(object.get()) != H5I_DATASET)
    throw BadInput(
        fmt::format("{}: {} is not a data set", place.file.string(), absolute(place.object)));
  return object;
}

Hdf5Id fixed_text_type(size_t size, const Hdf5Place& place) {
  Hdf5Id type = own(H5Tcopy(H5T_C_S1), H5Tclose, place, "make a string type");
  check(H5Tset_size(type.get(), std::max<size_t>(size, 1)), place, "make a string type");
  check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), place, "make a string type");
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), place, "make a string type");
  return type;
}

bool is_variable_text(hid_t type, const Hdf5Place& place) {
  return check(H5Tis_variable_str(type), place, "read the type of") > 0;
}

void require_plain_text(std::string_view text, const Hdf5Place& place) {
  if (text.find('\0') != std::string_view::npos)
    throw BadInput(fmt::format("{}: {}: a text with a NUL inside cannot be stored",
                               place.file.string(), absolute(place.object)));
}

std::string trimmed(std::string_view raw, hid_t type) {
  raw = raw.substr(0, raw.find('\0'));
  if (H5Tget_strpad(type) == H5T_STR_SPACEPAD)
    while (raw.ends_with(' ')) raw.remove_suffix(1);
  return std::string(raw);
}

}  // namespace outerloop::io
