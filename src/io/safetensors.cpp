// Format: https://huggingface.co/docs/safetensors, section "Format".

#include <fmt/format.h>

#include <array>
#include <bit>
#include <nlohmann/json.hpp>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/io/export.h"

namespace outerloop::io {

void write_safetensors(const std::filesystem::path& file, const TensorTree& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (header.contains(name))
      throw BadInput(fmt::format("{}: two tensors are named {}", file.string(), name));
    const DType dtype = tensor.dtype();
    header[name] = {{"dtype", dtype == DType::f32   ? "F32"
                              : dtype == DType::f64 ? "F64"
                                                    : "I32"},
                    {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  std::string content = header.dump();
  content.append((8 - content.size() % 8) % 8, ' ');  // so that the data begins aligned
  const auto length = std::bit_cast<std::array<char, 8>>(uint64_t{content.size()});
  content.insert(0, length.data(), length.size());
  for (const auto& [name, tensor] : tensors)
    content.append(reinterpret_cast<const char*>(tensor.data()), tensor.bytes());
  write_file_atomically(file, content);
}

}  // namespace outerloop::io
