// The program as its user calls it: words in, text and exit code out.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/call.h"
#include "io/temporary_folder.h"
#include "support/variable.h"

namespace outerloop::cli {
namespace {

using testing_support::Variable;

namespace fs = std::filesystem;

const std::string kSinusoid = OUTERLOOP_SOURCE_DIR "/configs/sinusoid_maml.yaml";

TEST(CommandLine, ShowsHelpAndVersion) {
  const Result help = call({"--help"});
  EXPECT_EQ(help.code, kDone);
  for (const char* name : {"ckpt", "config", "data", "doctor", "stop", "To begin: outerloop train",
                           "75 stopped with a checkpoint"}) {
    EXPECT_TRUE(contains(help.out, name)) << name;
  }
  EXPECT_FALSE(contains(call({"ckpt", "--help"}).out, "To begin"));
  const Result version = call({"--version"});
  EXPECT_EQ(version.code, kDone);
  EXPECT_TRUE(version.out.starts_with("outerloop "));
  EXPECT_TRUE(contains(version.out, "\ncommit     ")) << version.out;
}

TEST(CommandLine, RefusesWhatItDoesNotKnowInOneLine) {
  const Result unknown = call({"confg"});
  EXPECT_EQ(unknown.code, kBadInput);
  EXPECT_EQ(unknown.error, "error: 'confg' is no command of `outerloop`; did you mean 'config'?\n");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"--wrong"},
                                             {"config", "print"},
                                             {"ckpt"},
                                             {"stop"},
                                             {"--color=red", "doctor"},
                                             {"train", kSinusoid, "--dry-run", "--verbose"}}) {
    const Result result = call(words);
    EXPECT_EQ(result.code, kBadInput);
    EXPECT_EQ(std::ranges::count(result.error, '\n'), 1) << result.error;
  }
}

TEST(CommandLine, FlagsWithListsLeaveTheWordsBehindThem) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"importance", "nowhere", "--estimands", "query,prior", "test.steps=2"},
           {"bench", "importance", "nowhere", "--estimands", "query", "test.steps=2"},
           {"baselines", "nowhere", "--shots", "5,10", "tasks.shots=3"}}) {
    const Result result = call(words);
    EXPECT_PRED2(contains, result.error, "nowhere");
    EXPECT_FALSE(contains(result.error, words.back())) << result.error;
  }
}

TEST(CommandLine, RefersToTheHelpThatListsTheOption) {
  struct Case {
    std::vector<std::string> words;
    std::string hint;
  };
  for (const auto& [words, hint] : std::vector<Case>{
           {{"--color", "blue", "doctor"},
            "--color: expected auto, always or never, got 'blue'; see `outerloop --help`\n"},
           {{"doctor", "--color"}, "; see `outerloop --help`\n"},
           {{"ckpt", "diff", "a"}, "; see `outerloop ckpt diff --help`\n"},
           {{"eval", "a", "--split", "all"}, "; see `outerloop eval --help`\n"},
           {{"train", kSinusoid, "--quiet=3"},
            "--quiet: expected no value; see `outerloop train --help`\n"},
           {{"train", kSinusoid, "--coler", "auto"},
            "'--coler' is no option of `outerloop train`; did you mean '--color'?\n"},
           {{"ckpt", "shw", "a"},
            "'shw' is no command of `outerloop ckpt`; did you mean 'show'?\n"},
           {{"--color", "never", "trian", "a"},
            "'trian' is no command of `outerloop`; did you mean 'train'?\n"},
           {{"stop", "a", "b"}, "'b' is a word too many; see `outerloop stop --help`\n"}}) {
    const Result result = call(words);
    EXPECT_EQ(result.code, kBadInput);
    EXPECT_TRUE(result.error.ends_with(hint)) << result.error;
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
  EXPECT_TRUE(contains(all.out, "Usage: outerloop config ")) << all.out;
  EXPECT_FALSE(contains(all.out, "\n\n\n")) << all.out;
  EXPECT_EQ(call({"config", "help", "iner"}).code, kBadInput);
}

TEST(ConfigCommand, ItsSubcommandsHaveHelp) {
  for (const std::string name : {"print", "help"}) {
    const Result result = call({"config", name, "--help"});
    EXPECT_EQ(result.code, kDone) << result.error;
    EXPECT_TRUE(contains(result.out, "Usage: outerloop config " + name)) << result.out;
  }
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

TEST(StopCommand, LeavesAFileInTheFolderOfARunThatIsBeingTrained) {
  const TemporaryFolder folder;
  const fs::path& run = folder.path();
  const auto stop = [&run] { return call({"stop", run.string()}); };
  EXPECT_TRUE(contains(stop().error, "is no run folder"));
  std::ofstream(run / "config.yaml") << "seed: 1\n";
  EXPECT_TRUE(contains(stop().error, "is not being trained: there is nothing to stop"));
  EXPECT_EQ(stop().code, kBadInput);
  EXPECT_FALSE(fs::exists(run / "STOP"));

  const int lock = open((run / ".lock").c_str(), O_RDWR | O_CREAT, 0666);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  EXPECT_EQ(stop().code, kDone);
  EXPECT_TRUE(fs::exists(run / "STOP"));
  close(lock);
}

TEST(StopCommand, TrustsNoLockOfAnotherHost) {
  const TemporaryFolder folder;
  std::ofstream(folder / "config.yaml") << "seed: 1\n";
  std::ofstream(folder / ".lock") << "process 7 on a.host.that.is.not.this.one";
  EXPECT_EQ(call({"stop", folder.path().string()}).code, kDone);
  EXPECT_TRUE(fs::exists(folder / "STOP"));
}

TEST(DoctorCommand, ChecksTheMachine) {
  const fs::path folder = fresh_folder("doctor");
  const Result result = call({"doctor", folder.string()});
  EXPECT_EQ(result.code, kDone) << result.out;
  for (const char* name :
       {"instructions", "cores", "memory", "disk", "hdf5", "locking", "clock", "gpus", "nccl",
        "mpi", "launcher", "binding", "slurm", "terminal", "omniglot"}) {
    EXPECT_TRUE(contains(result.out, name)) << name;
  }
  EXPECT_TRUE(fs::is_empty(folder));
  EXPECT_EQ(call({"doctor", "/no/such/folder"}).code, kBadInput);
}

TEST(DoctorCommand, KnowsALauncherThatStartsRanksApart) {
  const fs::path folder = fresh_folder("doctor");
  const Variable tasks("SLURM_STEP_NUM_TASKS", "4");
  const Result result = call({"doctor", folder.string()});
  EXPECT_EQ(result.code, kFailed);
  EXPECT_TRUE(contains(result.out, "srun started 4 tasks that do not know of each other"));
  EXPECT_TRUE(contains(result.out, "-> use srun --mpi=pmix")) << result.out;
}

TEST(TrainCommand, RefusesTasksOfSrunThatDoNotKnowOfEachOther) {
  const fs::path run = fresh_folder("apart");
  const std::vector<std::string> train{"train", kSinusoid, "run_dir=" + run.string(),
                                       "outer.iterations=1"};
  const Variable tasks("SLURM_STEP_NUM_TASKS", "2");
  for (const auto& [task, said] : {std::pair{"0", true}, {"1", false}}) {
    const Variable number("SLURM_PROCID", task);
    const Result result = call(train);
    EXPECT_EQ(result.code, kBadInput);
    EXPECT_EQ(contains(result.error, "error: srun started 2 tasks that do not know"), said);
  }
  EXPECT_TRUE(fs::is_empty(run));
}

TEST(DoctorCommand, KnowsRanksThatShareCores) {
  const fs::path folder = fresh_folder("doctor");
  const Variable ranks("MPI_LOCALNRANKS", "1000");
  const Result result = call({"doctor", folder.string()});
  EXPECT_TRUE(contains(result.out, "note binding       1000 ranks on this host")) << result.out;
  EXPECT_TRUE(contains(result.out, "-> they share cores")) << result.out;
}

TEST(DoctorCommand, SaysWhatIsWrongAndWhatToDo) {
  const Result result = call({"doctor", "/proc"});
  EXPECT_EQ(result.code, kFailed);
  EXPECT_TRUE(contains(result.out, "BAD  disk")) << result.out;
  EXPECT_TRUE(contains(result.out, "-> choose a run_dir")) << result.out;
  for (const char* check : {"hdf5", "locking", "clock"}) {
    const std::string line = "note " + std::string(check);
    EXPECT_TRUE(contains(result.out, line)) << result.out;
  }
  EXPECT_TRUE(contains(result.out, "not tried: no file can be written")) << result.out;
  EXPECT_FALSE(contains(result.out, "HDF5_USE_FILE_LOCKING")) << result.out;
  EXPECT_FALSE(contains(result.out, "twice at once")) << result.out;
}

}  // namespace
}  // namespace outerloop::cli
