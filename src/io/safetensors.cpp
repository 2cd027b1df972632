// Format: https://huggingface.co/docs/safetensors, section "Format".

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "io/import.h"
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

namespace {

DType dtype_named(const std::string& word, const std::string& where) {
  if (word == "F32") return DType::f32;
  if (word == "F64") return DType::f64;
  if (word == "I32") return DType::i32;
  throw BadInput(
      fmt::format("{}: expected F32, F64 or I32, it is {}; save it as F32", where, word));
}

}  // namespace

TensorTree parse_safetensors(std::string_view content, const std::string& where) {
  uint64_t length = 0;
  if (content.size() >= sizeof(length)) std::memcpy(&length, content.data(), sizeof(length));
  if (content.size() < sizeof(length) || length > content.size() - sizeof(length)) {
    throw CorruptFile(where + ": ends within its header; copy it again");
  }
  const std::string_view data = content.substr(sizeof(length) + length);
  TensorTree tensors;
  try {
    const auto header = nlohmann::ordered_json::parse(content.substr(sizeof(length), length));
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      const std::string place = where + ": " + name;
      const DType dtype = dtype_named(entry.at("dtype").get<std::string>(), place);
      const size_t begin = entry.at("data_offsets").at(0);
      const size_t end = entry.at("data_offsets").at(1);
      if (begin > end || end > data.size()) throw CorruptFile(place + ": lies outside of the file");
      tensors.push_back({name, tensor_of_bytes(dtype, entry.at("shape").get<std::vector<int64_t>>(),
                                               data.substr(begin, end - begin), place)});
    }
  } catch (const nlohmann::json::exception&) {
    throw CorruptFile(where + ": its header is no safetensors header; copy it again");
  }
  return tensors;
}

}  // namespace outerloop::io
