// Subcommands that work on files: ckpt and data.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/call.h"
#include "io/temporary_folder.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/data/image_set.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

// A run folder with checkpoints of iterations 10 and 20; the first one is the best.
class CkptCommand : public testing::Test {
 protected:
  void SetUp() override {
    checkpoint::Store store(run_ / "ckpt");
    store.save(make(10, 1.0F), true);
    store.save(make(20, 3.0F));
  }

  static checkpoint::Checkpoint make(std::int64_t iteration, float value) {
    checkpoint::Checkpoint made;
    made.iteration = iteration;
    made.config = "seed: 1\n";
    Tensor weight(DType::f32, Shape{2, 2});
    std::ranges::fill(weight.as<float>(), value);
    made.parameters.push_back({"net/weight", weight});
    return made;
  }

  fs::path run_ = fresh_folder("ckpt_command_test");
};

TEST_F(CkptCommand, ListsARun) {
  const Result result = call({"ckpt", "ls", run_.string()});
  EXPECT_EQ(result.code, kDone) << result.error;
  EXPECT_TRUE(contains(result.out, "ckpt-000000010.h5  (best)")) << result.out;
  EXPECT_TRUE(contains(result.out, "ckpt-000000020.h5\n")) << result.out;
  EXPECT_EQ(call({"ckpt", "ls", "/no/run"}).code, kBadInput);
  EXPECT_EQ(call({"ckpt", "ls", fresh_folder("ckpt_command_empty").string()}).code, kBadInput);
}

TEST_F(CkptCommand, ShowsTheNewest) {
  const Result result = call({"ckpt", "show", run_.string()});
  EXPECT_EQ(result.code, kDone) << result.error;
  EXPECT_TRUE(contains(result.out, "net/weight")) << result.out;
  EXPECT_TRUE(contains(result.out, "20")) << result.out;
}

TEST_F(CkptCommand, ExitsWith1WhenTwoDiffer) {
  const std::string first = (run_ / "ckpt/ckpt-000000010.h5").string();
  const Result different = call({"ckpt", "diff", first, run_.string()});
  EXPECT_EQ(different.code, 1);
  EXPECT_TRUE(contains(different.out, "net/weight")) << different.out;
  EXPECT_EQ(call({"ckpt", "diff", first, first}).code, kDone);
}

TEST_F(CkptCommand, NamesDamagedFilesAndGoesOn) {
  EXPECT_EQ(call({"ckpt", "verify", run_.string()}).code, kDone);
  const fs::path damaged = run_ / "ckpt/ckpt-000000010.h5";
  fs::resize_file(damaged, fs::file_size(damaged) / 2);
  const Result result = call({"ckpt", "verify", run_.string()});
  EXPECT_EQ(result.code, kFailed);
  EXPECT_TRUE(contains(result.out, damaged.string())) << result.out;
  EXPECT_TRUE(contains(result.out, "ckpt-000000020.h5: whole")) << result.out;
}

TEST_F(CkptCommand, ExportsWhatIsTestedUnlessToldOtherwise) {
  const fs::path folder = fresh_folder("ckpt_command_out");
  checkpoint::Checkpoint with_mean = make(20, 3.0F);
  with_mean.ema = make(20, 2.0F).parameters;
  checkpoint::Store(run_ / "ckpt").save(with_mean);
  const std::string first = (run_ / "ckpt/ckpt-000000010.h5").string();
  const std::string second = (run_ / "ckpt/ckpt-000000020.h5").string();
  const std::string model = (folder / "model.h5").string();
  struct Case {
    std::string path;
    std::vector<std::string> words;
    float value;
    std::string line;
  };
  for (const auto& [path, words, value, line] : std::vector<Case>{
           {run_.string(), {}, 1, first + " at iteration 10: parameters"},
           {run_.string(), {"--checkpoint", "best"}, 1, first + " at iteration 10: parameters"},
           {run_.string(),
            {"--checkpoint", "last"},
            2,
            second + " at iteration 20: parameters and their running mean"},
           {second, {"--no-ema"}, 3, second + " at iteration 20: parameters"}}) {
    std::vector<std::string> all{"ckpt", "export", path, model};
    all.insert(all.end(), words.begin(), words.end());
    const Result result = call(all);
    EXPECT_EQ(result.code, kDone) << result.error;
    EXPECT_EQ(result.out, line + " -> " + model + "\n");
    const checkpoint::Checkpoint written = checkpoint::read_checkpoint(model);
    const auto& tested = written.ema.empty() ? written.parameters : written.ema;
    EXPECT_EQ(tested.at(0).value.as<float>()[0], value) << line;
  }
  const std::string table = (folder / "weights.npz").string();
  const Result result = call({"ckpt", "export", second, table});
  EXPECT_EQ(result.out,
            second + " at iteration 20: running mean of the parameters -> " + table + "\n");
}

TEST_F(CkptCommand, Averages) {
  const fs::path folder = fresh_folder("ckpt_command_mean");
  const std::string mean = (folder / "mean.h5").string();
  const std::vector<std::string> words{
      "ckpt", "average", (run_ / "ckpt/ckpt-000000010.h5").string(), run_.string(), "--out", mean};
  EXPECT_EQ(call(words).code, kDone);
  const checkpoint::Checkpoint averaged = checkpoint::read_checkpoint(mean);
  EXPECT_EQ(averaged.parameters.at(0).value.as<float>()[0], 2.0F);
  EXPECT_EQ(call(words).code, kBadInput);  // the file exists now

  checkpoint::Checkpoint other = make(20, 5.0F);
  other.config_hash = "another";
  checkpoint::write_checkpoint(other, folder / "other.h5");
  const Result mixed = call({"ckpt", "average", words[2], (folder / "other.h5").string(), "--out",
                             (folder / "mixed.h5").string()});
  EXPECT_EQ(mixed.code, kDone);
  EXPECT_TRUE(
      contains(mixed.error, "warning: " + words[2] + " is of a training with another config"))
      << mixed.error;
}

// Four classes with three 4x4 grey images each, as PGM files.
fs::path image_folder() {
  const fs::path root = fresh_folder("data_command_images");
  for (const char* name : {"a", "b", "c", "d"}) {
    fs::create_directories(root / name);
    for (int i = 0; i < 3; ++i) {
      std::ofstream file(root / name / (std::to_string(i) + ".pgm"), std::ios::binary);
      file << "P5\n4 4\n255\n" << std::string(16, static_cast<char>(name[0] + i));
    }
  }
  return root;
}

TEST(DataCommand, ImportsAndShowsAFolderOfImages) {
  const std::string out = (fresh_folder("data_command_out") / "x.h5").string();
  const Result imported =
      call({"data", "import", "images", image_folder().string(), "--out", out, "--height", "8",
            "--width", "8", "--fractions", "0.5", "0.25", "0.25"});
  ASSERT_EQ(imported.code, kDone) << imported.error;
  const data::ImageSet set = data::load_image_set(out);
  EXPECT_EQ(set.classes(), 4);
  EXPECT_EQ(set.preparation.height, 8);
  EXPECT_EQ(set.splits.begin()->second.classes[0].size(), 2u);
  const Result shown = call({"data", "show", out});
  EXPECT_EQ(shown.code, kDone);
  const size_t place = shown.out.find(data::fingerprint(set));
  EXPECT_NE(place, std::string::npos);
  EXPECT_EQ(shown.out.find("fingerprint", place), std::string::npos) << "said twice";
}

TEST(DataCommand, RefusesWhatIsNotThere) {
  const std::string out = (fresh_folder("data_command_nothing") / "x.h5").string();
  EXPECT_EQ(call({"data", "show", "/no/such.h5"}).code, kBadInput);
  const Result table =
      call({"data", "show", OUTERLOOP_SOURCE_DIR "/configs/datasets/flights/flights.csv.gz"});
  EXPECT_TRUE(contains(table.out, "table of 35263 rows")) << table.out;
  const fs::path stored = fs::path(out).parent_path() / "table.h5";
  io::Hdf5File file = io::Hdf5File::create(stored);
  file.write("speed", Tensor(DType::f64, {3}));
  file.close();
  const Result columns = call({"data", "show", stored.string()});
  EXPECT_TRUE(contains(columns.out, "table of 3 rows")) << columns.error;
  EXPECT_TRUE(contains(columns.out, "speed")) << columns.out;
  EXPECT_TRUE(contains(table.out, "numbers from")) << table.out;
  EXPECT_TRUE(contains(table.out, "names, 308 different")) << table.out;
  EXPECT_EQ(call({"data", "import", "images", "/no/such", "--out", out}).code, kBadInput);
  // Written over, a device would be gone.
  const fs::path pipe = fs::path(out).parent_path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const Result on_pipe = call({"data", "import", "images", "/no/such", "--out", pipe.string()});
  EXPECT_EQ(on_pipe.code, kBadInput);
  EXPECT_TRUE(contains(on_pipe.error, "is a device or a pipe")) << on_pipe.error;
  EXPECT_EQ(call({"data", "import", "omniglot", "/no/such", "--out", out}).code, kBadInput);
}

}  // namespace
}  // namespace outerloop::cli
