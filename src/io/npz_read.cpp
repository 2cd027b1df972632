// The reading side of npz.cpp: the same formats, and what numpy.savez writes besides.

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "io/import.h"
#include "outerloop/base/crc32.h"
#include "outerloop/base/error.h"

namespace outerloop::io {
namespace {

// Bytes of a file in which every step is checked.
struct Bytes {
  std::string_view all;
  const std::string& where;

  std::string_view part(size_t begin, size_t count) const {
    if (begin > all.size() || count > all.size() - begin) {
      throw CorruptFile(where + ": ends early; copy it again");
    }
    return all.substr(begin, count);
  }
  template <class T>
  T number(size_t at) const {
    T value{};
    std::memcpy(&value, part(at, sizeof(T)).data(), sizeof(T));
    return value;
  }
};

// The text after 'key': in the header of an .npy, a Python literal.
std::string_view after_key(std::string_view header, std::string_view key) {
  const auto at = header.find(fmt::format("'{}':", key));
  if (at == header.npos) return {};
  std::string_view rest = header.substr(at + key.size() + 3);
  return rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
}

// "(2, 3), …", "(3,), …" or "(), …".
std::optional<std::vector<int64_t>> extents_in(std::string_view text) {
  if (!text.starts_with('(')) return std::nullopt;
  std::vector<int64_t> extents;
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size();
  while (at != end && *at != ')') {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    int64_t extent = 0;
    const auto read = std::from_chars(at, end, extent);
    if (read.ec != std::errc{}) return std::nullopt;
    extents.push_back(extent);
    at = read.ptr;
  }
  return at == end ? std::nullopt : std::optional(extents);
}

std::optional<DType> dtype_in(std::string_view text) {
  if (text.starts_with("'<f4'")) return DType::f32;
  if (text.starts_with("'<f8'")) return DType::f64;
  if (text.starts_with("'<i4'")) return DType::i32;
  return std::nullopt;
}

// Columns first to rows first, of a matrix.
Tensor transposed(const Tensor& stored) {
  const int64_t rows = stored.shape()[1], columns = stored.shape()[0];
  Tensor result(stored.dtype(), {rows, columns});
  const size_t bytes = size_of(stored.dtype());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      std::memcpy(result.data() + static_cast<size_t>(i * columns + j) * bytes,
                  stored.data() + static_cast<size_t>(j * rows + i) * bytes, bytes);
    }
  }
  return result;
}

Tensor parse_npy(std::string_view npy, const std::string& where) {
  const Bytes bytes{npy, where};
  if (bytes.part(0, 6) != "\x93NUMPY") throw CorruptFile(where + ": does not begin as .npy does");
  const bool long_header = bytes.number<uint8_t>(6) > 1;
  const size_t start = long_header ? 12 : 10;
  const size_t length = long_header ? bytes.number<uint32_t>(8) : bytes.number<uint16_t>(8);
  const std::string_view header = bytes.part(start, length);
  const auto dtype = dtype_in(after_key(header, "descr"));
  auto extents = extents_in(after_key(header, "shape"));
  if (!dtype || !extents) {
    throw BadInput(fmt::format("{}: expected values of type <f4, <f8 or <i4, its header is {}",
                               where, header.substr(0, header.find('\n'))));
  }
  const bool columns_first = after_key(header, "fortran_order").starts_with("True");
  if (columns_first && extents->size() > 2) {
    throw BadInput(where + ": columns come first; save numpy.ascontiguousarray of it");
  }
  if (columns_first) std::reverse(extents->begin(), extents->end());
  Tensor tensor = tensor_of_bytes(*dtype, *extents, npy.substr(start + length), where);
  return columns_first && extents->size() == 2 ? transposed(tensor) : tensor;
}

}  // namespace

TensorTree parse_npz(std::string_view content, const std::string& where) {
  constexpr std::string_view kEnd = "PK\x05\x06", kLine = "PK\x01\x02", kLocal = "PK\x03\x04";
  const Bytes zip{content, where};
  const size_t end = content.rfind(kEnd);
  constexpr size_t kEndBytes = 22;
  if (end == content.npos || content.size() - end < kEndBytes)
    throw CorruptFile(where + ": its directory is missing; copy it again");
  const auto count = zip.number<uint16_t>(end + 10);
  size_t line = zip.number<uint32_t>(end + 16);
  TensorTree tensors;
  for (int i = 0; i < count; ++i) {
    if (zip.part(line, 4) != kLine) throw CorruptFile(where + ": its directory is damaged");
    const auto name_bytes = zip.number<uint16_t>(line + 28);
    std::string name(zip.part(line + 46, name_bytes));
    const std::string place = where + ": " + name;
    const bool stored = zip.number<uint16_t>(line + 10) == 0;
    if (!stored || !name.ends_with(".npy")) {
      throw BadInput(place + ": expected an .npy that is not compressed, as numpy.savez writes");
    }
    const size_t local = zip.number<uint32_t>(line + 42);
    if (zip.part(local, 4) != kLocal) throw CorruptFile(place + ": is not where it should be");
    const size_t data =
        local + 30 + zip.number<uint16_t>(local + 26) + zip.number<uint16_t>(local + 28);
    const std::string_view npy = zip.part(data, zip.number<uint32_t>(line + 24));
    if (crc32(std::as_bytes(std::span(npy))) != zip.number<uint32_t>(line + 16)) {
      throw CorruptFile(place + ": its checksum differs; copy the file again");
    }
    name.resize(name.size() - 4);
    tensors.push_back({std::move(name), parse_npy(npy, place)});
    line += 46 + name_bytes + zip.number<uint16_t>(line + 30) + zip.number<uint16_t>(line + 32);
  }
  return tensors;
}

}  // namespace outerloop::io
