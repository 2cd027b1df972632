// Hdf5File: attributes.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "io/hdf5_handle.h"
#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::io {
namespace {

// An attribute past this size in a damaged file is not worth an attempt.
constexpr hsize_t kMaxAttributeBytes = hsize_t{1} << 28;

// An open attribute with its names for messages ("FILE: OBJECT@NAME").
struct Attribute {
  Attribute(hid_t file, const std::filesystem::path& path, std::string_view object,
            std::string_view name)
      : label(fmt::format("{}@{}", absolute(object), name)),
        place{path, label},
        owner(open_object(file, {path, object})),
        id(own(open(name), H5Aclose, place, "open the attribute")),
        type(own(H5Aget_type(id.get()), H5Tclose, place, "read the type of")),
        space(own(H5Aget_space(id.get()), H5Sclose, place, "read the shape of")),
        elements(check(H5Sget_simple_extent_npoints(space.get()), place, "read the shape of")) {
    if (static_cast<hsize_t>(elements) >
        kMaxAttributeBytes / std::max<size_t>(H5Tget_size(type.get()), 1))
      throw CorruptFile(fmt::format("{}: {}: claims {} elements", path.string(), label, elements));
  }

  hid_t open(std::string_view name) const {
    const std::string text(name);
    if (check(H5Aexists(owner.get(), text.c_str()), place, "look up") == 0)
      throw BadInput(fmt::format("{}: has no attribute {}", place.file.string(), label));
    return H5Aopen(owner.get(), text.c_str(), H5P_DEFAULT);
  }

  void read(hid_t in_memory, void* values) const {
    if (elements > 0) check(H5Aread(id.get(), in_memory, values), place, "read");
  }

  [[noreturn]] void refuse(const char* expected) const {
    throw BadInput(fmt::format("{}: {}: expected {}", place.file.string(), label, expected));
  }

  std::string label;
  Hdf5Place place;
  Hdf5Id owner, id, type, space;
  int64_t elements;
};

template <class T>
void write_attribute(hid_t file, const Hdf5Place& place, std::string_view object,
                     std::string_view name, hid_t stored, hid_t in_memory, const T* value) {
  const std::string text(name);
  const Hdf5Id owner = open_object(file, {place.file, object, true});
  if (check(H5Aexists(owner.get(), text.c_str()), place, "look up") > 0)
    check(H5Adelete(owner.get(), text.c_str()), place, "replace");
  const Hdf5Id space = own(H5Screate(H5S_SCALAR), H5Sclose, place, "create");
  Hdf5Id attribute =
      own(H5Acreate2(owner.get(), text.c_str(), stored, space.get(), H5P_DEFAULT, H5P_DEFAULT),
          H5Aclose, place, "create");
  check(H5Awrite(attribute.get(), in_memory, value), place, "write");
  check(attribute.close(), place, "write");
}

}  // namespace

bool Hdf5File::has_attribute(std::string_view object, std::string_view name) const {
  const Hdf5Call call;
  const Hdf5Place place{path_, object, writing_};
  const Hdf5Id owner = open_object(id_, place);
  return check(H5Aexists(owner.get(), std::string(name).c_str()), place, "look up") > 0;
}

std::vector<std::string> Hdf5File::list_attributes(std::string_view object) const {
  const Hdf5Call call;
  const Hdf5Place place{path_, object, writing_};
  const Hdf5Id owner = open_object(id_, place);
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* target) -> herr_t {
    static_cast<std::vector<std::string>*>(target)->emplace_back(name);
    return 0;
  };
  check(H5Aiterate2(owner.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names), place,
        "list the attributes of");
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<int64_t> Hdf5File::attribute_ints(std::string_view object,
                                              std::string_view name) const {
  const Hdf5Call call;
  const Attribute attribute(id_, path_, object, name);
  if (H5Tget_class(attribute.type.get()) != H5T_INTEGER) attribute.refuse("integers");
  std::vector<int64_t> values(static_cast<size_t>(attribute.elements));
  attribute.read(H5T_NATIVE_INT64, values.data());
  return values;
}

std::vector<double> Hdf5File::attribute_reals(std::string_view object,
                                              std::string_view name) const {
  const Hdf5Call call;
  const Attribute attribute(id_, path_, object, name);
  const H5T_class_t kind = H5Tget_class(attribute.type.get());
  if (kind != H5T_FLOAT && kind != H5T_INTEGER) attribute.refuse("numbers");
  std::vector<double> values(static_cast<size_t>(attribute.elements));
  attribute.read(H5T_NATIVE_DOUBLE, values.data());
  return values;
}

int64_t Hdf5File::attribute_int(std::string_view object, std::string_view name) const {
  const std::vector<int64_t> values = attribute_ints(object, name);
  if (values.size() == 1) return values[0];
  throw BadInput(fmt::format("{}: {}@{}: expected one integer, it holds {}", path_.string(),
                             absolute(object), name, values.size()));
}

double Hdf5File::attribute_real(std::string_view object, std::string_view name) const {
  const std::vector<double> values = attribute_reals(object, name);
  if (values.size() == 1) return values[0];
  throw BadInput(fmt::format("{}: {}@{}: expected one number, it holds {}", path_.string(),
                             absolute(object), name, values.size()));
}

std::string Hdf5File::attribute_text(std::string_view object, std::string_view name) const {
  const Hdf5Call call;
  const Attribute attribute(id_, path_, object, name);
  if (H5Tget_class(attribute.type.get()) != H5T_STRING || attribute.elements != 1)
    attribute.refuse("one text");
  if (is_variable_text(attribute.type.get(), attribute.place))
    attribute.refuse("a text of fixed length");
  std::string raw(H5Tget_size(attribute.type.get()), '\0');
  attribute.read(attribute.type.get(), raw.data());
  return trimmed(raw, attribute.type.get());
}

void Hdf5File::set_attribute_int(std::string_view object, std::string_view name, int64_t value) {
  const Hdf5Call call;
  const Hdf5Place place{path_, object, true};
  write_attribute(id_, place, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void Hdf5File::set_attribute_real(std::string_view object, std::string_view name, double value) {
  const Hdf5Call call;
  const Hdf5Place place{path_, object, true};
  write_attribute(id_, place, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

void Hdf5File::set_attribute_text(std::string_view object, std::string_view name,
                                  std::string_view value) {
  const Hdf5Call call;
  const Hdf5Place place{path_, object, true};
  require_plain_text(value, place);
  const std::string text(value);  // ends with the NUL that stands for an empty text
  const Hdf5Id type = fixed_text_type(text.size(), place);
  write_attribute(id_, place, object, name, type.get(), type.get(), text.c_str());
}

}  // namespace outerloop::io
