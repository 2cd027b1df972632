#pragma once
// Metrics as JSON lines: one object a line, each with an integer "iteration". A line is appended
// with one write(2), so a killed run leaves at most one torn line, at the end.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace outerloop::io {

class AppendFile;

class JsonlWriter {
 public:
  // Opens for appending; creates the file when there is none. Throws SystemFailure.
  explicit JsonlWriter(const std::filesystem::path& file);
  // For a run that goes on from `iteration`: truncate_jsonl() comes first.
  JsonlWriter(const std::filesystem::path& file, int64_t iteration);
  ~JsonlWriter();

  // `object` is one JSON object without a line break; the line break is added.
  void append(std::string_view object);

 private:
  std::unique_ptr<AppendFile> file_;
};

// For a run that goes on from `iteration`: cuts the file before the first line whose "iteration" is
// greater, or that is torn. Does nothing when there is no file. Returns the number of lines kept.
int64_t truncate_jsonl(const std::filesystem::path& file, int64_t iteration);

}  // namespace outerloop::io
