#include "outerloop/io/jsonl.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/io/append_file.h"

namespace outerloop::io {
namespace {

const std::filesystem::path& truncated(const std::filesystem::path& file, int64_t iteration) {
  truncate_jsonl(file, iteration);
  return file;
}

}  // namespace

JsonlWriter::JsonlWriter(const std::filesystem::path& file)
    : file_(std::make_unique<AppendFile>(file)) {}

JsonlWriter::JsonlWriter(const std::filesystem::path& file, int64_t iteration)
    : JsonlWriter(truncated(file, iteration)) {}

JsonlWriter::~JsonlWriter() = default;

void JsonlWriter::append(std::string_view object) {
  OL_ASSERT(object.find('\n') == std::string_view::npos, "a JSON line holds no line break");
  file_->append(std::string(object) + '\n');
}

int64_t truncate_jsonl(const std::filesystem::path& file, int64_t iteration) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return 0;
  const std::string content = read_file(file);
  int64_t lines = 0;
  size_t kept = 0;
  for (size_t end; (end = content.find('\n', kept)) != std::string::npos; kept = end + 1, ++lines) {
    const auto line = std::string_view(content).substr(kept, end - kept);
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object() || !object.contains("iteration")) break;
    const nlohmann::json& value = object["iteration"];
    if (!value.is_number_integer() || value.get<int64_t>() > iteration) break;
  }
  if (kept == content.size()) return lines;
  std::filesystem::resize_file(file, kept, error);
  if (error)
    throw SystemFailure(fmt::format("{}: cannot truncate: {}", file.string(), error.message()));
  sync_file(file);
  return lines;
}

}  // namespace outerloop::io
