#include "outerloop/io/import.h"

#include <fmt/format.h>

#include <cstring>

#include "io/import.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::io {
namespace {

TensorTree read_datasets(const std::filesystem::path& path) {
  const Hdf5File file = Hdf5File::open_read(path);
  TensorTree tensors;
  for (const std::string& name : file.list_datasets()) {
    const ElementType type = file.info(name).type;
    if (type == ElementType::f32 || type == ElementType::f64) {
      tensors.push_back({name, file.read(name)});
    }
  }
  return tensors;
}

}  // namespace

Tensor tensor_of_bytes(DType dtype, const std::vector<int64_t>& extents, std::string_view bytes,
                       const std::string& where) {
  size_t elements = 1;
  bool fits = extents.size() <= Shape::kMaxRank;
  for (const int64_t extent : extents) {
    fits = fits && extent >= 0 &&
           !__builtin_mul_overflow(elements, static_cast<size_t>(extent), &elements);
  }
  if (!fits || elements > bytes.size() || elements * size_of(dtype) != bytes.size()) {
    throw CorruptFile(
        fmt::format("{}: has {} bytes, which its shape and type do not make", where, bytes.size()));
  }
  Tensor tensor(dtype, Shape(extents));
  if (!bytes.empty()) std::memcpy(tensor.data(), bytes.data(), bytes.size());
  return tensor;
}

TensorTree read_tensors(const std::filesystem::path& file) {
  const std::string where = file.string();
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    throw BadInput(where + ": no such file; expected .safetensors, .npz or HDF5");
  }
  const std::string content = read_file(file);
  if (content.starts_with("PK")) return parse_npz(content, where);
  if (content.size() > 8 && content[8] == '{') return parse_safetensors(content, where);
  constexpr size_t kMostBefore = 1 << 16;  // what may stand before HDF5, such as a seal
  if (content.substr(0, kMostBefore).find("\x89HDF\r\n\x1a\n") != content.npos) {
    return read_datasets(file);
  }
  throw BadInput(where + ": begins like neither safetensors, .npz nor HDF5");
}

}  // namespace outerloop::io
