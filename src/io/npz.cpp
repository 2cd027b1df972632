// Formats: numpy.lib.format (.npy, version 1.0) and PKWARE's APPNOTE,
// sections 4.3.7, 4.3.12, 4.3.16.

#include <fmt/format.h>

#include <set>

#include "io/raw_bytes.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/crc32.h"
#include "outerloop/base/error.h"
#include "outerloop/io/export.h"

namespace outerloop::io {
namespace {

std::string make_npy(const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  std::string shape;
  for (int64_t extent : tensor.shape()) shape += fmt::format("{}, ", extent);
  if (tensor.shape().rank() > 1) shape.resize(shape.size() - 2);
  if (tensor.shape().rank() == 1) shape.pop_back();  // "(3,)"
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                   dtype == DType::f32   ? "<f4"
                                   : dtype == DType::f64 ? "<f8"
                                                         : "<i4",
                                   shape);
  constexpr size_t kPrefix = 10, kAlignment = 64;
  header.append(kAlignment - (kPrefix + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  std::string npy("\x93NUMPY\x01\x00", 8);
  append_raw(npy, static_cast<uint16_t>(header.size()));
  npy += header;
  return npy.append(reinterpret_cast<const char*>(tensor.data()), tensor.bytes());
}

// The fields that an entry's local header and its line in the directory share.
void append_entry_fields(std::string& out, const std::string& name, const std::string& npy) {
  constexpr uint16_t kVersion = 20, kUtf8Names = 1 << 11, kStored = 0;
  constexpr uint16_t kMidnight = 0,
                     kFirstDay = 1 << 5 | 1;  // 1980-01-01: equal tensors, equal bytes
  append_raw(out, kVersion);
  append_raw(out, kUtf8Names);
  append_raw(out, kStored);
  append_raw(out, kMidnight);
  append_raw(out, kFirstDay);
  append_raw(out, crc32(std::as_bytes(std::span(npy.data(), npy.size()))));
  append_raw(out, static_cast<uint32_t>(npy.size()));  // compressed
  append_raw(out, static_cast<uint32_t>(npy.size()));
  append_raw(out, static_cast<uint16_t>(name.size()));
  append_raw(out, uint16_t{0});  // no extra field
}

void append_directory_line(std::string& directory, const std::string& name, const std::string& npy,
                           size_t offset) {
  constexpr uint16_t kMadeBy = 20;
  directory += "PK\x01\x02";
  append_raw(directory, kMadeBy);
  append_entry_fields(directory, name, npy);
  append_raw(directory, uint16_t{0});  // no comment
  append_raw(directory, uint16_t{0});  // disk number
  append_raw(directory, uint16_t{0});  // internal attributes
  append_raw(directory, uint32_t{0});  // external attributes
  append_raw(directory, static_cast<uint32_t>(offset));
  directory += name;
}

}  // namespace

void write_npz(const std::filesystem::path& file, const TensorTree& tensors) {
  constexpr size_t kPlainZipBytes = 0xffffffff, kPlainZipEntries = 0xffff;
  std::string zip, directory;
  std::set<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    if (!names.insert(name).second)
      throw BadInput(fmt::format("{}: two tensors are named {}", file.string(), name));
    const std::string entry = name + ".npy";
    const std::string npy = make_npy(tensor);
    if (zip.size() + npy.size() + directory.size() > kPlainZipBytes ||
        names.size() >= kPlainZipEntries)
      throw BadInput(file.string() +
                     ": too large for an .npz (4 GiB, 65534 tensors); export as safetensors");
    append_directory_line(directory, entry, npy, zip.size());
    zip += "PK\x03\x04";
    append_entry_fields(zip, entry, npy);
    zip += entry;
    zip += npy;
  }
  const size_t offset = zip.size();
  zip += directory;
  zip += "PK\x05\x06";
  append_raw(zip, uint32_t{0});  // disk numbers
  append_raw(zip, static_cast<uint16_t>(names.size()));
  append_raw(zip, static_cast<uint16_t>(names.size()));
  append_raw(zip, static_cast<uint32_t>(directory.size()));
  append_raw(zip, static_cast<uint32_t>(offset));
  append_raw(zip, uint16_t{0});  // no comment
  write_file_atomically(file, zip);
}

}  // namespace outerloop::io
