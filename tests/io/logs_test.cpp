// JSON lines and TensorBoard events.

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "io/python.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/crc32.h"
#include "outerloop/base/error.h"
#include "outerloop/io/jsonl.h"
#include "outerloop/io/tensorboard.h"
#include "support/file_size_limit.h"
#include "support/message_of.h"

namespace outerloop::io {
namespace {

TEST(Jsonl, AppendsLines) {
  const TemporaryFolder folder;
  JsonlWriter(folder / "m.jsonl").append(R"({"iteration":1})");
  JsonlWriter(folder / "m.jsonl").append(R"({"iteration":2})");
  EXPECT_EQ(read_file(folder / "m.jsonl"), "{\"iteration\":1}\n{\"iteration\":2}\n");
}

TEST(Jsonl, IsCutBackToAnIteration) {
  const TemporaryFolder folder;
  const auto path = folder / "m.jsonl";
  const std::string first = "{\"loss\":3.5,\"iteration\":1}\n{\"iteration\":2}\n";
  write_file_atomically(path, first + "{\"iteration\":3}\n{\"iteration\":4}\n");
  EXPECT_EQ(truncate_jsonl(path, 2), 2);
  EXPECT_EQ(read_file(path), first);
  EXPECT_EQ(truncate_jsonl(path, 9), 2);
  EXPECT_EQ(read_file(path), first);
  EXPECT_EQ(truncate_jsonl(path, 0), 0);
  EXPECT_EQ(read_file(path), "");
  EXPECT_EQ(truncate_jsonl(folder / "none.jsonl", 0), 0);
}

TEST(Jsonl, TornAndForeignLinesEndIt) {
  const TemporaryFolder folder;
  const auto path = folder / "m.jsonl";
  const std::string whole = "{\"iteration\":1}\n";
  for (const char* rest :
       {"{\"iteration\":2", "{\"iterat\n", "7\n", "{\"iteration\":\"2\"}\n", "\n"}) {
    write_file_atomically(path, whole + rest);
    EXPECT_EQ(truncate_jsonl(path, 5), 1) << rest;
    EXPECT_EQ(read_file(path), whole) << rest;
  }
}

TEST(Jsonl, AnUnwritableFileIsNamed) {
  const TemporaryFolder folder;
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { JsonlWriter(folder / "no" / "m.jsonl"); }),
                  "m.jsonl: cannot open: No such file or directory");
  JsonlWriter full("/dev/full");
  EXPECT_EQ(message_of<SystemFailure>([&] { full.append("{}"); }),
            "/dev/full: cannot write: No space left on device");
}

TEST(Jsonl, SaysWhyALineWasCutShort) {
  const TemporaryFolder folder;
  JsonlWriter log(folder / "m.jsonl");
  const testing_support::FileSizeLimit limit(10);
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { log.append("{\"iteration\":1}"); }),
                  "m.jsonl: cannot write: File too large: larger than this process may write "
                  "(ulimit -f)");
}

template <class T>
T read_raw(std::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

uint32_t masked_crc(std::string_view text) {
  return masked_crc32c(std::as_bytes(std::span(text.data(), text.size())));
}

TEST(TensorBoard, FramesCarryLengthsAndChecksums) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path());
  writer.scalar("train/loss", 300, 0.5);
  const std::string content = read_file(writer.path());
  std::vector<std::string> records;
  for (size_t at = 0; at < content.size();) {
    const auto length = read_raw<uint64_t>(content, at);
    ASSERT_EQ(read_raw<uint32_t>(content, at + 8), masked_crc(content.substr(at, 8)));
    records.push_back(content.substr(at + 12, length));
    ASSERT_EQ(read_raw<uint32_t>(content, at + 12 + length), masked_crc(records.back()));
    at += 16 + length;
  }
  ASSERT_EQ(records.size(), 2u);
  EXPECT_CONTAINS(records[0], "brain.Event:2");
  // step = 300 as a varint, then summary > value > tag, simple_value = 0.5.
  const std::string step("\x10\xac\x02", 3), tag("\x0a\x0atrain/loss"), half("\x15\0\0\0\x3f", 5);
  EXPECT_CONTAINS(records[1], step + "\x2a\x13\x0a\x11" + tag + half);
}

void look_for_a_reader_that_is_not_there() {
  OL_SKIP_WITHOUT(std::string(), "tensorboard");
}

// Where readers are required, a missing one is no silent skip.
TEST(Readers, ThatAreMissingFailTheTestWhereTheyAreRequired) {
  const char* set = std::getenv("OUTERLOOP_REQUIRE_READERS");
  if (set == nullptr) setenv("OUTERLOOP_REQUIRE_READERS", "1", 1);
  EXPECT_FATAL_FAILURE(look_for_a_reader_that_is_not_there(), "pip install tensorboard");
  if (set == nullptr) unsetenv("OUTERLOOP_REQUIRE_READERS");
}

TEST(TensorBoard, TheRealReaderSeesTheCurves) {
  const std::string python = python_with("tensorboard");
  OL_SKIP_WITHOUT(python, "tensorboard");
  const TemporaryFolder folder;
  {
    EventWriter writer(folder.path());
    for (int step = 1; step <= 6; ++step) writer.scalar("train/loss", step, 1.0 / step);
    writer.scalar("train/accuracy", 2, 0.75);
  }
  {
    EventWriter writer(folder.path(), /*resumed_from=*/4);
    writer.scalar("train/loss", 5, -5);
  }
  const std::string script = R"(
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
for tag in sorted(events.Tags()['scalars']):
  print(tag, [(e.step, round(e.value, 6)) for e in events.Scalars(tag)])
)";
  EXPECT_EQ(run_python(python, script, folder.path()),
            "train/accuracy [(2, 0.75)]\n"
            "train/loss [(1, 1.0), (2, 0.5), (3, 0.333333), (4, 0.25), (5, -5.0)]\n");
}

}  // namespace
}  // namespace outerloop::io
