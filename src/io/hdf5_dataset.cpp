// Hdf5File: data sets of tensors, bytes and texts.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "io/hdf5_handle.h"
#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::io {
namespace {

using Extents = std::array<hsize_t, Shape::kMaxRank>;

std::string label(const Hdf5Place& place) {
  return fmt::format("{}: {}", place.file.string(), absolute(place.object));
}

ElementType element_type(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  const size_t size = H5Tget_size(type);
  if (kind == H5T_STRING) return ElementType::text;
  if (kind == H5T_FLOAT && size <= 4) return ElementType::f32;
  if (kind == H5T_FLOAT && size == 8) return ElementType::f64;
  if (kind == H5T_INTEGER && size == 1 && H5Tget_sign(type) == H5T_SGN_NONE) return ElementType::u8;
  return kind == H5T_INTEGER && size <= 8 ? ElementType::i32 : ElementType::other;
}

// A data set opened for reading.
struct Dataset {
  Dataset(hid_t file, const Hdf5Place& where)
      : place(where),
        id(open_dataset(file, place)),
        type(own(H5Dget_type(id.get()), H5Tclose, place, "read the type of")),
        space(own(H5Dget_space(id.get()), H5Sclose, place, "read the shape of")),
        properties(own(H5Dget_create_plist(id.get()), H5Pclose, place, "read the layout of")),
        element(element_type(type.get())) {
    const int rank = check(H5Sget_simple_extent_ndims(space.get()), place, "read the shape of");
    if (rank > Shape::kMaxRank)
      throw BadInput(
          fmt::format("{}: has {} axes, at most {} are read", label(place), rank, Shape::kMaxRank));
    if (H5Sget_simple_extent_type(space.get()) == H5S_NULL)
      throw BadInput(label(place) + ": is an empty (null) data set");
    Extents extents{};
    check(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), place,
          "read the shape of");
    require_plausible(std::span(extents).first(static_cast<size_t>(rank)));
    for (int axis = 0; axis < rank; ++axis)
      shape.append(static_cast<int64_t>(extents[static_cast<size_t>(axis)]));
  }

  // A damaged header may claim any size; deflate, the densest filter, saves a factor of 1032 at
  // most.
  void require_plausible(std::span<const hsize_t> extents) const {
    constexpr double kAlwaysFine = 1 << 26, kDensest = 1100;
    double bytes = static_cast<double>(H5Tget_size(type.get()));
    for (hsize_t extent : extents) bytes *= static_cast<double>(extent);
    const auto stored = static_cast<double>(H5Dget_storage_size(id.get()));
    if (bytes > std::max(kAlwaysFine, stored * kDensest))
      throw CorruptFile(fmt::format("{}: claims {:.0f} bytes, the file holds {:.0f}", label(place),
                                    bytes, stored));
  }

  void read(hid_t in_memory, void* target) const {
    if (H5Dread(id.get(), in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, target) >= 0) return;
    const std::string reason = last_hdf5_message();
    throw_hdf5_error(place, "read", reason, first_bad_chunk(in_memory));
  }

  [[noreturn]] void refuse(const char* expected) const {
    throw BadInput(fmt::format("{}: expected {}", label(place), expected));
  }

  Hdf5Place place;
  Hdf5Id id, type, space, properties;
  ElementType element;
  Shape shape;

 private:
  // " chunk 17 at (0, 128)": found by reading chunk after chunk.
  std::string first_bad_chunk(hid_t in_memory) const {
    Extents chunk{};
    const int rank = shape.rank();
    if (rank == 0 || H5Pget_layout(properties.get()) != H5D_CHUNKED) return {};
    if (H5Pget_chunk(properties.get(), rank, chunk.data()) != rank) return {};
    std::vector<std::byte> buffer;
    Extents offset{};
    for (int64_t index = 0;; ++index) {
      Extents count{};
      hsize_t elements = 1;
      for (size_t axis = 0; axis < static_cast<size_t>(rank); ++axis) {
        const auto extent = static_cast<hsize_t>(shape[static_cast<int>(axis)]);
        count[axis] = std::min(chunk[axis], extent - offset[axis]);
        elements *= count[axis];
      }
      buffer.resize(elements * H5Tget_size(in_memory));
      if (!readable(in_memory, offset, count, elements, buffer.data()))
        return fmt::format(" chunk {} at ({})", index,
                           fmt::join(offset.begin(), offset.begin() + rank, ", "));
      int axis = rank - 1;
      for (; axis >= 0; --axis) {
        const auto a = static_cast<size_t>(axis);
        offset[a] += chunk[a];
        if (offset[a] < static_cast<hsize_t>(shape[axis])) break;
        offset[a] = 0;
      }
      if (axis < 0) return {};
    }
  }

  bool readable(hid_t in_memory, const Extents& offset, const Extents& count, hsize_t elements,
                void* buffer) const {
    const Hdf5Id target = own(H5Screate_simple(1, &elements, nullptr), H5Sclose, place, "read");
    H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, offset.data(), nullptr, count.data(), nullptr);
    return H5Dread(id.get(), in_memory, target.get(), space.get(), H5P_DEFAULT, buffer) >= 0;
  }
};

// Balanced pieces of at most `limit` elements, halving the outermost axes first.
Extents chunk_extents(const Shape& shape, int64_t limit) {
  Extents chunk{};
  int64_t inner = shape.elements();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const int64_t extent = shape[axis];
    inner /= extent;
    const int64_t fitting = std::clamp<int64_t>(limit / std::max<int64_t>(inner, 1), 1, extent);
    const int64_t pieces = (extent + fitting - 1) / fitting;
    chunk[static_cast<size_t>(axis)] = static_cast<hsize_t>((extent + pieces - 1) / pieces);
  }
  return chunk;
}

// Scalars live in the object header, which the format checksums; data sets without elements
// nowhere.
Hdf5Id creation_properties(const Shape& shape, const DatasetOptions& options,
                           const Hdf5Place& place) {
  Hdf5Id dcpl = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, place, "set up");
  check(H5Pset_obj_track_times(dcpl.get(), false), place, "set up");
  if (shape.rank() == 0) {
    check(H5Pset_layout(dcpl.get(), H5D_COMPACT), place, "set up");
  } else if (options.contiguous) {
    check(H5Pset_layout(dcpl.get(), H5D_CONTIGUOUS), place, "set up");
  } else if (shape.elements() > 0) {
    const Extents chunk = chunk_extents(shape, options.chunk_elements);
    check(H5Pset_chunk(dcpl.get(), shape.rank(), chunk.data()), place, "set up");
    if (options.deflate > 0)
      check(H5Pset_deflate(dcpl.get(), static_cast<unsigned>(options.deflate)), place, "set up");
    check(H5Pset_fletcher32(dcpl.get()), place, "set up");
  }
  return dcpl;
}

void write_dataset(hid_t file, const Hdf5Place& place, const Shape& shape, hid_t stored,
                   hid_t in_memory, const void* values, const DatasetOptions& options) {
  Extents extents{};
  std::copy(shape.begin(), shape.end(), extents.begin());
  const Hdf5Id space =
      own(shape.rank() == 0 ? H5Screate(H5S_SCALAR)
                            : H5Screate_simple(shape.rank(), extents.data(), nullptr),
          H5Sclose, place, "create");
  const Hdf5Id dcpl = creation_properties(shape, options, place);
  Hdf5Id dataset = own(H5Dcreate2(file, absolute(place.object).c_str(), stored, space.get(),
                                  H5P_DEFAULT, dcpl.get(), H5P_DEFAULT),
                       H5Dclose, place, "create");
  if (shape.elements() > 0)
    check(H5Dwrite(dataset.get(), in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), place,
          "write");
  check(dataset.close(), place, "write");
}

std::string parent_of(std::string_view dataset) {
  const std::string path = absolute(dataset);
  return path.substr(0, path.rfind('/'));
}

// What does not fit is the nearest that does: the greatest is refused for unsigned ones.
std::vector<int64_t> wide_integers(const Dataset& dataset) {
  std::vector<int64_t> wide(static_cast<size_t>(dataset.shape.elements()));
  dataset.read(H5T_NATIVE_INT64, wide.data());
  const hid_t type = dataset.type.get();
  const bool may_pass = H5Tget_size(type) == 8 && H5Tget_sign(type) == H5T_SGN_NONE;
  if (may_pass && std::ranges::count(wide, std::numeric_limits<int64_t>::max()) > 0) {
    dataset.refuse("integers of 64 bits with a sign");
  }
  return wide;
}

Tensor narrow_integers(const Dataset& dataset) {
  Tensor tensor(DType::i32, dataset.shape);
  if (H5Tget_size(dataset.type.get()) < 4) {
    dataset.read(H5T_NATIVE_INT32, tensor.data());
    return tensor;
  }
  const std::vector<int64_t> wide = wide_integers(dataset);
  std::span<int32_t> values = tensor.as<int32_t>();
  for (size_t i = 0; i < wide.size(); ++i) {
    values[i] = static_cast<int32_t>(wide[i]);
    if (values[i] != wide[i]) dataset.refuse("integers of 32 bits");
  }
  return tensor;
}

}  // namespace

DatasetInfo Hdf5File::info(std::string_view dataset) const {
  const Hdf5Call call;
  const Dataset opened(id_, {path_, dataset});
  return {opened.element, opened.shape};
}

int64_t Hdf5File::place_of(std::string_view dataset) const {
  const Hdf5Call call;
  const Hdf5Place place{path_, dataset, writing_};
  const haddr_t offset = H5Dget_offset(open_dataset(id_, place).get());
  if (offset == HADDR_UNDEF) throw BadInput(label(place) + ": is not in one piece");
  return static_cast<int64_t>(offset);
}

Tensor Hdf5File::read(std::string_view dataset) const {
  const Hdf5Call call;
  const Dataset opened(id_, {path_, dataset});
  switch (opened.element) {
    case ElementType::f32:
    case ElementType::f64: {
      const bool single = opened.element == ElementType::f32;
      Tensor tensor(single ? DType::f32 : DType::f64, opened.shape);
      opened.read(single ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE, tensor.data());
      return tensor;
    }
    case ElementType::i32:
    case ElementType::u8:
      return narrow_integers(opened);
    default:
      opened.refuse("numbers of at most 64 bits");
  }
}

std::vector<int64_t> Hdf5File::read_integers(std::string_view dataset) const {
  const Hdf5Call call;
  const Dataset opened(id_, {path_, dataset});
  const bool is_integer = opened.element == ElementType::i32 || opened.element == ElementType::u8;
  if (!is_integer) opened.refuse("integers");
  return wide_integers(opened);
}

ByteArray Hdf5File::read_bytes(std::string_view dataset) const {
  const Hdf5Call call;
  const Dataset opened(id_, {path_, dataset});
  if (opened.element != ElementType::u8) opened.refuse("unsigned bytes");
  ByteArray bytes{opened.shape, {}};
  bytes.values.resize(static_cast<size_t>(opened.shape.elements()));
  opened.read(H5T_NATIVE_UINT8, bytes.values.data());
  return bytes;
}

std::vector<std::string> Hdf5File::read_texts(std::string_view dataset) const {
  const Hdf5Call call;
  const Dataset opened(id_, {path_, dataset});
  if (opened.element != ElementType::text) opened.refuse("texts");
  const auto count = static_cast<size_t>(opened.shape.elements());
  const hid_t type = opened.type.get();
  std::vector<std::string> texts;
  if (is_variable_text(type, opened.place)) opened.refuse("texts of fixed length");
  const size_t size = H5Tget_size(type);
  std::string raw(count * size, '\0');
  opened.read(type, raw.data());
  for (size_t i = 0; i < count; ++i)
    texts.push_back(trimmed(std::string_view(raw).substr(i * size, size), type));
  return texts;
}

std::string Hdf5File::read_text(std::string_view dataset) const {
  std::vector<std::string> texts = read_texts(dataset);
  if (texts.size() == 1) return std::move(texts[0]);
  throw BadInput(fmt::format("{}: {}: expected one text, it holds {}", path_.string(),
                             absolute(dataset), texts.size()));
}

void Hdf5File::write(std::string_view dataset, const Tensor& value, const DatasetOptions& options) {
  const Hdf5Call call;
  create_group(parent_of(dataset));
  const Hdf5Place place{path_, dataset, true};
  const bool integer = value.dtype() == DType::i32, single = value.dtype() == DType::f32;
  write_dataset(id_, place, value.shape(),
                integer  ? H5T_STD_I32LE
                : single ? H5T_IEEE_F32LE
                         : H5T_IEEE_F64LE,
                integer  ? H5T_NATIVE_INT32
                : single ? H5T_NATIVE_FLOAT
                         : H5T_NATIVE_DOUBLE,
                value.data(), options);
}

void Hdf5File::write_bytes(std::string_view dataset, const Shape& shape,
                           std::span<const uint8_t> values, const DatasetOptions& options) {
  const Hdf5Call call;
  OL_ASSERT(shape.elements() == static_cast<int64_t>(values.size()), "bytes and shape must agree");
  create_group(parent_of(dataset));
  write_dataset(id_, {path_, dataset, true}, shape, H5T_STD_U8LE, H5T_NATIVE_UINT8, values.data(),
                options);
}

void Hdf5File::write_texts(std::string_view dataset, std::span<const std::string> values) {
  constexpr int64_t kChunkBytes = 1 << 17;
  const Hdf5Call call;
  const Hdf5Place place{path_, dataset, true};
  size_t size = 1;
  for (const std::string& text : values) {
    require_plain_text(text, place);
    size = std::max(size, text.size());
  }
  std::string padded;
  for (const std::string& text : values) padded.append(text).append(size - text.size(), '\0');
  const Hdf5Id type = fixed_text_type(size, place);
  create_group(parent_of(dataset));
  write_dataset(id_, place, Shape{static_cast<int64_t>(values.size())}, type.get(), type.get(),
                padded.data(),
                {.chunk_elements = std::max<int64_t>(1, kChunkBytes / static_cast<int64_t>(size))});
}

void Hdf5File::write_text(std::string_view dataset, const std::string& value) {
  write_texts(dataset, std::span(&value, 1));
}

}  // namespace outerloop::io
