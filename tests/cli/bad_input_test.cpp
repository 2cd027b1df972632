// What goes wrong in the hands of a user: for each fault the exit code and what the program says,
// in one table. Nothing that was there before is touched.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "cli/call.h"
#include "cli/faults.h"
#include "cli/process.h"
#include "cli/stored_runs.h"
#include "io/temporary_folder.h"
#include "outerloop/base/home.h"
#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/io/export.h"
#include "support/message_of.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

void truncate_checkpoints(const fs::path& run) {
  for (const auto& entry : fs::directory_iterator(run / "ckpt")) {
    if (entry.is_symlink()) continue;
    fs::resize_file(entry.path(), 3000);
  }
}

// Made once: runs, good and damaged data sets, examples for predict.
const fs::path& folder() {
  static const fs::path made = [] {
    const fs::path d = fresh_folder("bad_input");
    const Words few{"outer.iterations=20", "validation.every=10", "test.tasks=5"};
    const auto copy = [&d](const fs::path& run, const char* name) {
      fs::copy(run, d / name, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    };
    const fs::path sine = train::train_tiny("bad_input_sine", train::kTinySine, few);
    copy(sine, "sine");
    copy(sine, "no_hashes");
    fs::remove(d / "no_hashes/hashes.bin");
    copy(sine, "other_hashes");
    write_file_atomically(d / "other_hashes/hashes.bin", "something else\n");
    checkpoint::Checkpoint exported = checkpoint::read_checkpoint(sine / "ckpt/latest");
    exported.optimizer.clear();
    checkpoint::write_checkpoint(exported, d / "export.h5");
    copy(sine, "damaged");
    truncate_checkpoints(d / "damaged");
    copy(train::train_tiny("bad_input_images", train::kTinyImages, few), "images");
    write_file_atomically(d / "sine.yaml", train::kTinySine);
    write_file_atomically(d / "images.yaml", train::kTinyImages);

    data::save_image_set(train::tiny_set(), d / "tiny.h5");
    const std::string whole = read_file(d / "tiny.h5");
    write_file_atomically(d / "truncated.h5", whole.substr(0, whole.size() / 2));
    std::string flipped = whole;
    flipped[flipped.size() / 2] ^= 1;
    write_file_atomically(d / "flipped.h5", flipped);
    write_file_atomically(d / "empty.h5", "");
    write_file_atomically(d / "text.txt", "this is neither a data set nor a checkpoint\n");

    fs::create_directories(d / "plain");
    fs::create_directories(d / "mine");
    write_file_atomically(d / "mine/config.yaml", "my: own\n");
    train::write_images(d / "three", {0, 4, 8}, 2);
    train::write_images(d / "four", {0, 4, 8, 12}, 1);
    train::write_images(d / "one", {0}, 2);
    train::write_images(d / "broken", {0, 4}, 1);
    write_file_atomically(d / "broken/square10/9.png", "no image");
    write_file_atomically(d / "listed.csv",
                          "path,label\nthree/square10/0.png,a\nthree/square14/0.png,b\n");
    write_file_atomically(d / "ab.csv", "a,b\n1,2\n");
    write_file_atomically(d / "xy.csv", "x,y\n1,2\n");
    io::write_npz(d / "net.npz", {{"layer1.weight", Tensor(DType::f32, {1, 2})}});
    write_file_atomically(d / "few.csv",
                          "a,b,c,y,kind\n1,2,3,1,u\n2,1,6,0,v\n3,5,9,4,u\n4,2,12,2,v\n");
    write_file_atomically(d / "word.csv", "x,y\n1,two\n");
    return d;
  }();
  return made;
}

std::string filled_in(std::string text) {
  const std::map<std::string, std::string> places{{"{d}", folder().string()},
                                                  {"{c}", (folder() / "case.yaml").string()},
                                                  {"{h}", with_home("~")}};
  for (const auto& [place, value] : places) {
    for (size_t at; (at = text.find(place)) != std::string::npos;) text.replace(at, 3, value);
  }
  return text;
}

// Everything below a folder, but logs and locks, which tell of a refused start.
std::map<std::string, std::string> content(const fs::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string name = entry.path().filename();
    if (name == "rank-000.log" || name == ".lock" || name == "case.yaml") continue;
    std::string text = entry.is_symlink()        ? fs::read_symlink(entry.path()).string()
                       : entry.is_regular_file() ? read_file(entry.path())
                                                 : "folder";
    files[entry.path().string()] = std::move(text);
  }
  return files;
}

class BadInput : public testing::TestWithParam<Fault> {};

TEST_P(BadInput, IsNamedAndNothingIsLost) {
  const Fault& fault = GetParam();
  write_file_atomically(folder() / "case.yaml", fault.config);
  std::vector<std::string> words;
  std::istringstream in(filled_in(fault.words));
  for (std::string word; in >> word;) words.push_back(word);
  const auto before = content(folder());

  const Result result = call(words);
  EXPECT_EQ(result.code, fault.code);
  EXPECT_EQ(result.out, "");
  const std::vector<std::string> lines = lines_of(result.error);
  EXPECT_EQ(lines.size(), fault.lines.size()) << result.error;
  for (size_t i = 0; i < std::min(lines.size(), fault.lines.size()); ++i) {
    EXPECT_CONTAINS(lines[i], filled_in(fault.lines[i]));
    EXPECT_TRUE(lines[i].starts_with("error: ") || lines[i].starts_with("warning: ")) << lines[i];
  }
  EXPECT_TRUE(content(folder()) == before) << "files were changed, made or lost";
}

const std::vector<Fault> kConfigs{
    {"UnknownKey",
     "train {c}",
     2,
     {"{c}:2:3: unknown key 'outer.iteratoins'; did you mean 'outer.iterations'?"},
     "outer:\n  iteratoins: 5\n"},
    {"DuplicateKey",
     "train {c}",
     2,
     {"{c}:3:3: 'outer.rate' is given twice, first at {c}:2:3; remove one"},
     "outer:\n  rate: 0.1\n  rate: 0.2\n"},
    {"MistypedValue",
     "train {c}",
     2,
     {"{c}:1:16: inner.steps: expected a whole number from "},
     "inner: {steps: two}\n"},
    {"OutOfRange",
     "train {c}",
     2,
     {"{c}:1:15: outer.rate: expected a number from 0 up, got '-3'"},
     "outer: {rate: -3}\n"},
    {"OctalNumber",
     "train {c}",
     2,
     {"got '010'; write decimal numbers, without leading zeros"},
     "seed: 010\n"},
    {"NoAsFalse",
     "train {c}",
     2,
     {"{c}:1:17: report.write: expected true or false, got 'no'"},
     "report: {write: no}\n"},
    {"WrongWord",
     "train {c}",
     2,
     {"model.kind: expected one of mlp, conv4, got 'mlpp'; did you mean 'mlp'?"},
     "model: {kind: mlpp}\n"},
    {"ValueForASection",
     "train {c}",
     2,
     {"{c}:1:1: 'outer' is a section; write its keys indented below it: outer.iterations, "},
     "outer: 3\n"},
    {"AllAtOnce",
     "train {c} outer.rte=1 inner.rate=fast",
     2,
     {"{c}:1:1: unknown key 'sed'; did you mean 'seed'?", "{c}:2:17: outer.rate: ",
      "{c}:2:20: 'outer.rate' is given twice", "command line: word 1: unknown key 'outer.rte'",
      "command line: word 2: inner.rate: expected a number"},
     "sed: 1\nouter: {rate:   x, rate: 2}\n"},
    {"KeysThatContradict",
     "train {c}",
     2,
     {"tasks.ways: tasks of sinusoid have no classes: set 1",
      "model.kind: conv4 needs images; tasks.family is sinusoid: set mlp"},
     "tasks: {family: sinusoid, ways: 5}\nmodel: {kind: conv4}\n"},
    {"ContradictionsBesideOtherErrors",
     "train {d}/sine.yaml foo.bar=1 tasks.ways=7 outer.schedule=step",
     2,
     {"command line: word 1: unknown key 'foo.bar'",
      "command line: word 2: tasks.ways: tasks of sinusoid have no classes: set 1",
      "command line: word 3: outer.schedule_every: outer.schedule is step: set the iterations"}},
    {"KeysWithoutEffect",
     "train {c} outer.final_rate=0.1",
     2,
     {"{c}:1:19: outer.momentum: has no effect with outer.optimizer = adam: leave it at 0 (it is "
      "for sgd)",
      "command line: word 1: outer.final_rate: has no effect with outer.schedule = constant: leave "
      "it at 0 (it is for cosine, linear)"},
     "outer: {momentum: 0.5}\n"},
    {"NotYaml", "train {c}", 2, {"{c}:2:1: not readable as YAML: "}, "tasks: {a\n"},
    {"NoConfig", "train {d}/none.yaml", 2, {"{d}/none.yaml: no such config file"}},
    {"AFolderAsConfig", "train {d}/plain", 2, {"{d}/plain: is a folder; name a config file"}},
    {"ARunAsConfig",
     "train {d}/sine",
     2,
     {"{d}/sine: is a folder; name a config file, such as its config.yaml"}},
    {"WordWithoutValue",
     "train {d}/sine.yaml inner.rate",
     2,
     {"command line: word 1: expected key=value, got 'inner.rate'"}},
    {"UnknownResume",
     "train {d}/sine.yaml --resume=sometimes",
     2,
     {"--resume: expected auto, never or a checkpoint file, got 'sometimes'"}},
    {"ResumeBelowHome",
     "train {d}/sine.yaml --resume=~/no/such.h5",
     2,
     {"--resume: expected auto, never or a checkpoint file, got '{h}/no/such.h5'"}},
    {"NoDuration",
     "train {d}/sine.yaml --max-wall 3x",
     2,
     {"--max-wall: '3x' is no duration: write days, hours, minutes, seconds as in"}},
    {"DurationWithoutUnit",
     "train {d}/sine.yaml --max-wall 3h50",
     2,
     {"--max-wall: '3h50' is no duration: write days, hours, minutes, seconds as in 3h50m, 90s or "
      "2d, each number with its unit"}},
    {"NoTimeAtAll", "train {d}/sine.yaml --max-wall 0s", 2, {"--max-wall: expected more than 0s"}},
    {"EmptyDuration",
     "train {d}/sine.yaml --max-wall=",
     2,
     {"--max-wall: 1 required TEXT missing"}},
    {"UnknownOption",
     "train {d}/sine.yaml --maxwall 3h",
     2,
     {"'--maxwall' is no option of `outerloop train`; did you mean '--max-wall'?"}},
};

const std::vector<Fault> kData{
    {"NoDataSet",
     "train {d}/images.yaml tasks.dataset={d}/none.h5 run_dir={d}/new",
     2,
     {"{d}/none.h5: no such file"}},
    {"DataSetNotInItsPlaces",
     "train {d}/images.yaml tasks.dataset=none.h5 run_dir={d}/new",
     2,
     {"none.h5: no such file; looked for {d}/none.h5, none.h5"}},
    {"TextAsDataSet",
     "train {d}/images.yaml tasks.dataset={d}/text.txt run_dir={d}/new",
     2,
     {"{d}/text.txt: not a data set of outerloop; make one with 'outerloop data import'"}},
    {"CheckpointAsDataSet",
     "train {d}/images.yaml tasks.dataset={d}/sine/ckpt/latest run_dir={d}/new",
     2,
     {"an HDF5 file, but not a data set"}},
    {"TruncatedDataSet",
     "train {d}/images.yaml tasks.dataset={d}/truncated.h5 run_dir={d}/new",
     1,
     {"{d}/truncated.h5: damaged: truncated: "}},
    {"DamagedDataSet",
     "train {d}/images.yaml tasks.dataset={d}/flipped.h5 run_dir={d}/new",
     1,
     {"{d}/flipped.h5: damaged: content differs from its checksum"}},
    {"EmptyDataSet",
     "train {d}/images.yaml tasks.dataset={d}/empty.h5 run_dir={d}/new",
     2,
     {"{d}/empty.h5: not a data set"}},
    {"TooManyWays",
     "train {d}/images.yaml tasks.dataset={d}/tiny.h5 tasks.ways=9 test.ways=3 run_dir={d}/new",
     2,
     {"9 ways of 2 + 2 images are too many: the train split of 'tiny' has 8 classes"}},
    {"TooManyWaysInTheTest",
     "train {d}/images.yaml tasks.dataset={d}/tiny.h5 learner.algorithm=protonet test.ways=5 "
     "run_dir={d}/new",
     2,
     {"5 ways of 2 + 2 images are too many: the validation split of 'tiny' has 4 classes"}},
    {"MoreWaysInTheTestThanTheLastLayerHas",
     "train {d}/images.yaml tasks.dataset={d}/tiny.h5 test.ways=4 run_dir={d}/new "
     "validation.every=0",
     2,
     {"command line: word 2: test.ways: expected tasks.ways = 3 at most, as many as the last layer "
      "of maml has outputs, got 4"}},
    {"TooManyShots",
     "train {d}/images.yaml tasks.dataset={d}/tiny.h5 tasks.shots=7 run_dir={d}/new",
     2,
     {"3 ways of 7 + 2 images are too many: the train split of 'tiny' has 8 classes, 0 of them"}},
    {"NoSuchSplit",
     "train {d}/images.yaml tasks.dataset={d}/tiny.h5 tasks.split=half run_dir={d}/new",
     2,
     {"data set 'tiny' has no split scheme 'half'; it has quarter: name it in "
      "tasks.split"}},
};

const std::vector<Fault> kRunFolders{
    {"AFileAsRunFolder",
     "train {d}/sine.yaml run_dir={d}/text.txt",
     2,
     {"run_dir {d}/text.txt: cannot be created: "}},
    {"ARunFolderBelowAFile",
     "train {d}/sine.yaml run_dir={d}/text.txt/run",
     2,
     {"cannot be created: Not a directory; choose another run_dir"}},
    {"ARunFolderInProc",
     "train {d}/sine.yaml run_dir=/proc/run",
     2,
     {"run_dir /proc/run: cannot be created: "}},
    {"SomebodyElsesFolder",
     "train {d}/sine.yaml run_dir={d}/mine",
     2,
     {"run_dir {d}/mine: holds 'config.yaml' but no ckpt folder, so it is no run; choose another"}},
    {"AnotherConfig",
     "train {d}/sine.yaml run_dir={d}/sine outer.iterations=20 validation.every=10 test.tasks=5 "
     "inner.rate=0.5 seed=4",
     2,
     {"{d}/sine holds a run of another config: "}},
    {"FewerIterations",
     "train {d}/sine.yaml run_dir={d}/sine outer.iterations=10 validation.every=10 test.tasks=5",
     2,
     {"{d}/sine has 20 iterations already, more than outer.iterations = 10; raise that, or"}},
    {"NeverResume",
     "train {d}/sine.yaml run_dir={d}/sine --resume=never",
     2,
     {"{d}/sine already holds checkpoints; resume with --resume=auto or choose another run_dir"}},
    {"ResumeFromText",
     "train {d}/sine.yaml run_dir={d}/new --resume={d}/text.txt",
     2,
     {"{d}/text.txt: is no checkpoint"}},
    {"ResumeFromAnExport",
     "train {d}/sine.yaml run_dir={d}/new outer.iterations=20 validation.every=10 "
     "--resume={d}/export.h5",
     2,
     {"{d}/export.h5: the checkpoint lacks the optimiser's 'mean', without which a training"}},
    {"ResumeFromAnotherConfig",
     "train {d}/sine.yaml run_dir={d}/new validation.every=10 inner.rate=0.5 "
     "--resume={d}/sine/ckpt/latest",
     2,
     {"{d}/sine/ckpt/latest holds a run of another config: inner.rate was 0.02 and is now 0.5; "
      "resume another checkpoint, or set them as they were"}},
    {"ResumeFromDamage",
     "train {d}/sine.yaml run_dir={d}/new --resume={d}/damaged/ckpt/latest",
     1,
     {"{d}/damaged/ckpt/latest: damaged: truncated"}},
    {"NoWholeCheckpoint",
     "train {d}/sine.yaml run_dir={d}/damaged",
     1,
     {"skipped {d}/damaged/ckpt/ckpt-000000020.h5: damaged: truncated",
      "skipped {d}/damaged/ckpt/ckpt-000000010.h5: damaged: truncated",
      "{d}/damaged/ckpt: none of the 2 checkpoints can be read, remove them to start over; "}},
};

const auto name_of_fault = [](const auto& one) { return one.param.name; };
INSTANTIATE_TEST_SUITE_P(Config, BadInput, testing::ValuesIn(kConfigs), name_of_fault);
INSTANTIATE_TEST_SUITE_P(Data, BadInput, testing::ValuesIn(kData), name_of_fault);
INSTANTIATE_TEST_SUITE_P(RunFolder, BadInput, testing::ValuesIn(kRunFolders), name_of_fault);
INSTANTIATE_TEST_SUITE_P(StoredRun, BadInput, testing::ValuesIn(stored_run_faults()),
                         name_of_fault);
INSTANTIATE_TEST_SUITE_P(Importance, BadInput, testing::ValuesIn(importance_faults()),
                         name_of_fault);
INSTANTIATE_TEST_SUITE_P(Journals, BadInput, testing::ValuesIn(journal_faults()), name_of_fault);
INSTANTIATE_TEST_SUITE_P(Predict, BadInput, testing::ValuesIn(prediction_faults()), name_of_fault);

}  // namespace
}  // namespace outerloop::cli
