// Formats: TFRecord framing (tensorflow/core/lib/io/record_writer.h) and the fields of
// tensorflow/core/util/event.proto and framework/summary.proto.

#include "outerloop/io/tensorboard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <span>
#include <string>

#include "io/raw_bytes.h"
#include "outerloop/base/crc32.h"
#include "outerloop/base/host_name.h"
#include "outerloop/io/append_file.h"

namespace outerloop::io {
namespace {

// Protocol buffers: a field is a key (number and wire type) and a value.
enum class Wire : uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_key(std::string& out, uint64_t field, Wire wire) {
  append_varint(out, field << 3 | static_cast<uint64_t>(wire));
}

void append_bytes(std::string& out, uint64_t field, std::string_view value) {
  append_key(out, field, Wire::bytes);
  append_varint(out, value.size());
  out.append(value);
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
constexpr uint64_t kFileVersion = 3, kSummary = 5, kSessionLog = 7;

std::string make_event(int64_t step, uint64_t what, std::string_view content) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  append_key(event, 1, Wire::fixed64);
  append_raw(event, now.count());
  append_key(event, 2, Wire::varint);
  append_varint(event, static_cast<uint64_t>(step));
  append_bytes(event, what, content);
  return event;
}

uint32_t masked_crc(std::string_view text) {
  return masked_crc32c(std::as_bytes(std::span(text.data(), text.size())));
}

// Length, its checksum, data, its checksum.
std::string make_record(std::string_view data) {
  std::string record;
  append_raw(record, uint64_t{data.size()});
  append_raw(record, masked_crc(record));
  record.append(data);
  append_raw(record, masked_crc(data));
  return record;
}

std::filesystem::path new_file(const std::filesystem::path& folder) {
  static std::atomic<int> count = 0;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return folder / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", seconds.count(), host_name(),
                              ::getpid(), count++);
}

}  // namespace

EventWriter::EventWriter(const std::filesystem::path& folder, int64_t resumed_from)
    : file_(std::make_unique<AppendFile>(new_file(folder), O_EXCL)) {
  file_->append(make_record(make_event(0, kFileVersion, "brain.Event:2")));
  if (resumed_from < 0) return;
  // SessionLog{status = 1: START = 1}: TensorBoard forgets older events from this step on.
  std::string started;
  append_key(started, 1, Wire::varint);
  append_varint(started, 1);
  file_->append(make_record(make_event(resumed_from + 1, kSessionLog, started)));
}

EventWriter::~EventWriter() = default;

const std::filesystem::path& EventWriter::path() const {
  return file_->path();
}

void EventWriter::scalar(std::string_view tag, int64_t step, double value) {
  // Summary{value = 1: Value{tag = 1, simple_value = 2}}.
  std::string point, summary;
  append_bytes(point, 1, tag);
  append_key(point, 2, Wire::fixed32);
  append_raw(point, static_cast<float>(value));
  append_bytes(summary, 1, point);
  file_->append(make_record(make_event(step, kSummary, summary)));
}

}  // namespace outerloop::io
