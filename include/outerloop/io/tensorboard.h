#pragma once
// TensorBoard event files with scalars: TFRecord frames around hand-made protocol buffers.

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace outerloop::io {

class EventWriter {
 public:
  // Creates FOLDER/events.out.tfevents.<seconds>.<host>.<pid>.<n>. Throws SystemFailure.
  // When the run goes on after `resumed_from`, TensorBoard drops what older files in the folder say
  // about later steps; -1 for a new run.
  explicit EventWriter(const std::filesystem::path& folder, int64_t resumed_from = -1);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  // One point of the curve `tag` ("train/loss"), stamped with the wall time of the call.
  void scalar(std::string_view tag, int64_t step, double value);

  const std::filesystem::path& path() const { return path_; }

 private:
  void append(std::string_view event);

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace outerloop::io
