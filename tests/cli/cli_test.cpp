// The program as its user calls it: words in, text and exit code out.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/call.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

const std::string kSinusoid = OUTERLOOP_SOURCE_DIR "/configs/sinusoid_maml.yaml";

TEST(CommandLine, ShowsHelpAndVersion) {
  const Result help = call({"--help"});
  EXPECT_EQ(help.code, kDone);
  for (const char* name : {"ckpt", "config", "data", "doctor", "stop"}) {
    EXPECT_TRUE(contains(help.out, name)) << name;
  }
  const Result version = call({"--version"});
  EXPECT_EQ(version.code, kDone);
  EXPECT_TRUE(version.out.starts_with("outerloop "));
}

TEST(CommandLine, RefusesWhatItDoesNotKnowInOneLine) {
  const Result unknown = call({"confg"});
  EXPECT_EQ(unknown.code, kBadInput);
  EXPECT_EQ(unknown.error, "error: 'confg' is no command; did you mean 'config'?\n");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"--wrong"}, {"config", "print"}, {"ckpt"}, {"stop"}, {"--color=red", "doctor"}}) {
    const Result result = call(words);
    EXPECT_EQ(result.code, kBadInput);
    EXPECT_EQ(std::ranges::count(result.error, '\n'), 1) << result.error;
  }
}

TEST(CommandLine, PaintsErrorsOnlyOnRequest) {
  EXPECT_TRUE(contains(call({"stop", "/no/run", "--color=always"}).error, "\x1b[31m"));
  EXPECT_FALSE(contains(call({"stop", "/no/run"}).error, "\x1b"));
}

TEST(ConfigCommand, DescribesKeys) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"config", "help", "inner.steps"}, {"config", "--help", "inner.steps"}}) {
    const Result result = call(words);
    EXPECT_EQ(result.code, kDone);
    EXPECT_TRUE(result.out.starts_with("inner.steps: ")) << result.out;
  }
  EXPECT_TRUE(contains(call({"config", "help"}).out, "outer.meta_batch"));
  const Result all = call({"config", "--help"});
  EXPECT_TRUE(contains(all.out, "print") && contains(all.out, "outer.meta_batch")) << all.out;
  EXPECT_EQ(call({"config", "help", "iner"}).code, kBadInput);
}

TEST(ConfigCommand, PrintsAConfigInFull) {
  const Result result = call({"config", "print", kSinusoid, "inner.steps=3", "seed=9"});
  EXPECT_EQ(result.code, kDone);
  EXPECT_TRUE(contains(result.out, "  steps: 3\n"));
  EXPECT_TRUE(contains(result.out, "run_dir: \"runs/sinusoid_maml-seed9\"\n"));
  EXPECT_TRUE(contains(call({"config", "print", kSinusoid, "seed=9", "--origins"}).out,
                       "# command line: word 1"));
  EXPECT_EQ(call({"config", "print", kSinusoid, "--hash"}).out.size(), 33u);
}

TEST(ConfigCommand, NamesEveryErrorAndExitsWith2) {
  const Result result = call({"config", "print", kSinusoid, "inner.stpes=3", "seed=-1"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_EQ(result.error,
            "error: command line: word 1: unknown key 'inner.stpes'; did you mean 'inner.steps'?\n"
            "error: command line: word 2: seed: expected a whole number from 0 to 1000000000000, "
            "got '-1'\n");
  EXPECT_TRUE(result.out.empty());
}

TEST(StopCommand, LeavesAFileInTheRunFolder) {
  const fs::path run = testing::TempDir() + "stop_command_test";
  fs::create_directories(run);
  fs::remove(run / "STOP");
  fs::remove(run / "config.yaml");
  EXPECT_EQ(call({"stop", run.string()}).code, kBadInput);
  std::ofstream(run / "config.yaml") << "seed: 1\n";
  EXPECT_EQ(call({"stop", run.string()}).code, kDone);
  EXPECT_TRUE(fs::exists(run / "STOP"));
}

TEST(DoctorCommand, ChecksTheMachine) {
  const fs::path folder = testing::TempDir() + "doctor_command_test";
  fs::create_directories(folder);
  const Result result = call({"doctor", folder.string()});
  EXPECT_EQ(result.code, kDone) << result.out;
  for (const char* name : {"instructions", "cores", "memory", "disk", "hdf5", "locking"}) {
    EXPECT_TRUE(contains(result.out, name)) << name;
  }
  EXPECT_TRUE(fs::is_empty(folder));
  EXPECT_EQ(call({"doctor", "/no/such/folder"}).code, kBadInput);
}

TEST(DoctorCommand, SaysWhatIsWrongAndWhatToDo) {
  const Result result = call({"doctor", "/proc"});
  EXPECT_EQ(result.code, kFailed);
  EXPECT_TRUE(contains(result.out, "BAD  disk")) << result.out;
  EXPECT_TRUE(contains(result.out, "-> choose a run_dir")) << result.out;
}

}  // namespace
}  // namespace outerloop::cli
