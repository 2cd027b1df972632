#pragma once
// TensorBoard event files with scalars: TFRecord frames around hand-made protocol buffers.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace outerloop::io {

class AppendFile;

class EventWriter {
 public:
  // Creates FOLDER/events.out.tfevents.<seconds>.<host>.<pid>.<n>. Throws SystemFailure.
  // When the run goes on after iteration `resumed_from`, TensorBoard drops what older files of the
  // folder say about later steps; -1 for a new run.
  explicit EventWriter(const std::filesystem::path& folder, int64_t resumed_from = -1);
  ~EventWriter();

  // One point of the curve `tag` ("train/loss"), stamped with the wall time of the call; stored as
  // float32, as TensorBoard shows it.
  void scalar(std::string_view tag, int64_t step, double value);

  const std::filesystem::path& path() const;

 private:
  std::unique_ptr<AppendFile> file_;
};

}  // namespace outerloop::io
