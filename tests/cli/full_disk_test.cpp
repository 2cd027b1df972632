// The program on disks that are full or may not be written, and with streams that nobody reads.

#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/call.h"
#include "cli/process.h"
#include "io/temporary_folder.h"
#include "outerloop/checkpoint/store.h"
#include "support/message_of.h"
#include "support/small_disk.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

Words command(const fs::path& run, int64_t iterations) {
  return {"train",
          OUTERLOOP_SOURCE_DIR "/configs/sinusoid_maml.yaml",
          "run_dir=" + run.string(),
          fmt::format("outer.iterations={}", iterations),
          "outer.meta_batch=3",
          "validation.every=40",
          "validation.tasks=10",
          "test.tasks=10",
          "checkpoint.every=20",
          "log.every_iterations=10",
          "report.write=false",
          "runtime.threads=1",
          "--quiet"};
}

fs::path newest(const fs::path& run) {
  return checkpoint::Store::open_read(run / "ckpt").list().back().file;
}

std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) files[entry.path().filename()] = read_file(entry.path());
  }
  return files;
}

// What a failed continuation must leave: old checkpoints, old metrics, whole texts.
struct Before {
  explicit Before(const fs::path& r)
      : run(r), checkpoints(files_of(r / "ckpt")), metrics(read_file(r / "metrics.jsonl")) {}

  void expect_kept() const {
    const auto after = files_of(run / "ckpt");
    for (const auto& [name, bytes] : checkpoints) {
      EXPECT_TRUE(after.contains(name) && after.at(name) == bytes) << name;
    }
    for (const auto& [name, bytes] : after) {
      EXPECT_FALSE(name.starts_with(".tmp-")) << name;
      EXPECT_NO_THROW(checkpoint::verify_checkpoint(run / "ckpt" / name));
    }
    EXPECT_TRUE(read_file(run / "metrics.jsonl").starts_with(metrics));
    EXPECT_EQ(call({"config", "print", (run / "config.yaml").string()}).code, kDone);
    EXPECT_EQ(call({"eval", run.string(), "--tasks", "5"}).code, kDone);
  }

  fs::path run;
  std::map<std::string, std::string> checkpoints;
  std::string metrics;
};

void expect_failed(const Ended& ended, const std::string& reason) {
  EXPECT_EQ(ended.code, kFailed) << ended.error;
  EXPECT_EQ(std::ranges::count(ended.error, '\n'), 1) << ended.error;
  EXPECT_TRUE(ended.error.starts_with("error: ")) << ended.error;
  EXPECT_CONTAINS(ended.error, reason);
}

void expect_the_same_end(const fs::path& run, const fs::path& whole) {
  const Ended rest = run_process(command(run, 120));
  EXPECT_EQ(rest.code, kDone) << rest.error;
  ASSERT_EQ(run_process(command(whole, 120)).code, kDone);
  EXPECT_TRUE(read_file(newest(run)) == read_file(newest(whole)));
}

// The signal is as a shell gives it.
bool limit_files(rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY};
  return signal(SIGXFSZ, SIG_DFL) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

// Files may not grow past a limit, so that writing fails at many places, on any file system.
TEST(FullDisk, FailsInOneLineAndKeepsWhatWasThere) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  ASSERT_EQ(run_process(command(run, 60)).code, kDone);
  const Before before(run);
  // The last one knows more: its validation came for the end.
  const auto size = fs::file_size(run / "ckpt/ckpt-000000040.h5");
  for (const double part : {0.0, 0.05, 0.3, 0.7, 0.99}) {
    const auto most = static_cast<rlim_t>(part * static_cast<double>(size));
    const Ended ended = run_process(command(run, 120), [most] { return limit_files(most); });
    // Standard error is a file under the limit, too.
    EXPECT_EQ(ended.code, kFailed) << part << ended.error;
    if (part > 0.02) expect_failed(ended, "larger than this process may write (ulimit -f)");
    before.expect_kept();
  }
  expect_the_same_end(run, folder / "whole");
}

// Only the checkpoints are too large. The second is due at the end.
TEST(FullDisk, EndsTheTrainingLongBeforeTheNextCheckpoint) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  Words words = command(run, 30'000);
  std::ranges::replace(words, std::string("checkpoint.every=20"), "checkpoint.every=15000");
  std::ranges::replace(words, std::string("log.every_iterations=10"), "log.every_iterations=1000");
  std::ranges::replace(words, std::string("validation.every=40"), "validation.every=0");
  words.emplace_back("log.hashes=false");
  const Ended ended = run_process(words, [] { return limit_files(20'000); });
  expect_failed(ended, "ckpt/.tmp-15000-");
  const std::string metrics = read_file(run / "metrics.jsonl");
  EXPECT_CONTAINS(metrics, R"("iteration":15000,)");
  EXPECT_EQ(metrics.find(R"("iteration":25000,)"), std::string::npos);
}

bool point_at_full_disk(int descriptor) {
  return dup2(open("/dev/full", O_WRONLY), descriptor) >= 0;
}

// With all messages.
Words talking_command(const fs::path& run) {
  Words words = command(run, 120);
  std::erase(words, "--quiet");
  return words;
}

void expect_trained_without_messages(const std::function<bool()>& prepare) {
  const TemporaryFolder folder;
  const Ended ended = run_process(talking_command(folder / "run"), prepare);
  EXPECT_EQ(ended.code, kDone) << "signal " << ended.signal;
  EXPECT_CONTAINS(ended.out, "120 iterations in ");
}

TEST(FullDisk, UnderTheMessagesEndsNoTraining) {
  expect_trained_without_messages([] { return point_at_full_disk(2); });
}

TEST(UnreadPipe, UnderTheMessagesEndsNoTraining) {
  expect_trained_without_messages([] { return point_at_unread_pipe(2); });
}

// As others of a pipeline, which head(1) ends.
TEST(UnreadPipe, UnderTheResultsEndsQuietly) {
  const Ended ended = run_process({"config", "help"}, [] { return point_at_unread_pipe(1); });
  EXPECT_EQ(ended.signal, SIGPIPE);
  EXPECT_EQ(ended.error, "");
}

// The first files that were opened had these descriptors, and messages went into them.
TEST(ClosedStreams, LeaveTheFilesOfARunToItself) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  const Ended ended = run_process(talking_command(run), [] {
    for (const int stream : {0, 1, 2}) close(stream);
    return true;
  });
  EXPECT_EQ(ended.code, kFailed) << "its results went nowhere";
  std::istringstream lines(read_file(run / "metrics.jsonl"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  }
  EXPECT_GE(count, 12);
  const std::string lock = read_file(run / ".lock");
  EXPECT_TRUE(lock.starts_with("process ") && contains(lock, " on ")) << lock;
  EXPECT_EQ(run_process(command(run, 120)).code, kDone) << "it had come to its end";
}

TEST(FullDisk, UnderTheResultsIsAFailure) {
  for (const Words& words : {Words{"config", "help"}, Words{"--version"}}) {
    expect_failed(run_process(words, [] { return point_at_full_disk(1); }), "cannot write");
  }
}

TEST(FullDisk, ARealOneFailsInOneLineAndKeepsWhatWasThere) {
  const TemporaryFolder folder;
  const testing_support::SmallDisk disk(folder / "disk", "2m");
  if (!disk.mounted()) GTEST_SKIP() << disk.why_not();
  const fs::path run = folder / "disk/run";
  ASSERT_EQ(run_process(command(run, 60)).code, kDone);
  const Before before(run);
  const fs::path filler = folder / "disk/filler";
  for (const size_t left : {0, 8, 24}) {  // KiB
    std::ofstream(filler, std::ios::binary) << std::string(4 << 20, 'x');
    fs::resize_file(filler, fs::file_size(filler) / 4096 * 4096 - left * 1024);
    expect_failed(run_process(command(run, 120)), "No space left on device");
    fs::remove(filler);
    before.expect_kept();
  }
  expect_the_same_end(run, folder / "whole");
}

TEST(ReadOnlyDisk, IsNamedWhenTrainingAndReadAllTheSame) {
  const TemporaryFolder folder;
  const testing_support::SmallDisk disk(folder / "disk", "2m");
  if (!disk.mounted()) GTEST_SKIP() << disk.why_not();
  const std::string run = folder / "disk/run";
  ASSERT_EQ(run_process(command(run, 40)).code, kDone);
  ASSERT_TRUE(disk.make_read_only()) << std::strerror(errno);
  const Ended again = run_process(command(run, 80));
  EXPECT_EQ(again.code, kBadInput);
  EXPECT_EQ(again.error,
            "error: run_dir " + run +
                ": cannot be written: Read-only file system; choose another run_dir\n");
  EXPECT_EQ(call({"eval", run, "--tasks", "5"}).code, kDone);
  EXPECT_EQ(call({"ckpt", "verify", run}).code, kDone);
  EXPECT_EQ(call({"stop", run}).code, kBadInput);
  const Result report = call({"report", run});
  EXPECT_EQ(report.code, kBadInput);
  EXPECT_EQ(report.error, "error: " + run + "/report.html: cannot be written: folder " + run +
                              ": Read-only file system; name a file elsewhere with --out\n");
  const Result elsewhere = call({"report", run, "--out", (folder / "r.html").string()});
  EXPECT_EQ(elsewhere.code, kDone) << elsewhere.error;
  EXPECT_EQ(elsewhere.out, (folder / "r.html").string() + "\n");
  EXPECT_CONTAINS(read_file(folder / "r.html"), "<html");
}

}  // namespace
}  // namespace outerloop::cli
