// outerloop importance as its user calls it.

#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/call.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/farm/journal.h"
#include "outerloop/interp/importance_run.h"
#include "outerloop/io/export.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Numbers = std::vector<double>;
using Words = std::vector<std::string>;

const std::string kIris = OUTERLOOP_SOURCE_DIR "/configs/iris_importance.yaml";

fs::path run_iris(const TemporaryFolder& folder, const std::string& name, const Words& more = {}) {
  const fs::path run = folder.path() / name;
  Words words{"importance", kIris, "run_dir=" + run.string()};
  words.insert(words.end(), more.begin(), more.end());
  const Result result = call(words);
  EXPECT_EQ(result.code, kDone) << result.error;
  return run;
}

json result_of(const fs::path& run) {
  return json::parse(read_file(run / "importance.json"));
}

// scikit-learn's own numbers for LinearRegression fitted by scikit-learn.
TEST(ImportanceCommand, HasTheNumbersOfScikitLearnOnTheShippedExample) {
  const TemporaryFolder folder;
  const json found = result_of(run_iris(folder, "iris"))["metrics"][0];
  const json golden =
      json::parse(read_file(OUTERLOOP_SOURCE_DIR "/tests/reference/importance.json"));
  const json& expected = golden["cases"][0];
  ASSERT_EQ(expected["name"], "a_iris_linear_r2_seed42");
  EXPECT_NEAR(found["baseline"], expected["baseline"], 1e-12);
  ASSERT_EQ(found["groups"].size(), 4u);
  for (size_t j = 0; j < 4; ++j) {
    const json& group = found["groups"][j];
    const Numbers values = group["values"];
    const Numbers scikit_learn = expected["importances_blas"][j];
    ASSERT_EQ(values.size(), 10u);
    for (size_t k = 0; k < 10; ++k) EXPECT_NEAR(values[k], scikit_learn[k], 1e-12) << j << " " << k;
    EXPECT_NEAR(group["mean"], expected["importances_mean"][j], 1e-12);
    EXPECT_NEAR(group["deviation"], expected["importances_std"][j], 1e-12);
  }
  const json model = result_of(folder.path() / "iris")["model"];
  const Numbers coefficients = model["coefficients"];
  const Numbers reference = golden["models"]["iris_linear"]["coef"];
  for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(coefficients[j], reference[j], 1e-12);
}

// scikit-learn 1.9.1: LogisticRegression(max_iter=1000), seed 0.
TEST(ImportanceCommand, HasTheNumbersOfScikitLearnForALogisticModel) {
  const TemporaryFolder folder;
  const json found = result_of(run_iris(
      folder, "iris", {"model=logistic", "metrics=[accuracy, log_loss, brier]", "seed=0"}));
  EXPECT_EQ(found["classes"], (Words{"setosa", "versicolor", "virginica"}));
  const Numbers means = {0.008, 0.010666666666666667, 0.5886666666666667, 0.174};
  for (size_t j = 0; j < 4; ++j) {
    EXPECT_NEAR(found["metrics"][0]["groups"][j]["mean"], means[j], 1e-12) << j;
  }
  EXPECT_EQ(found["metrics"].size(), 3u);
}

// The score of all rows is there, that of the one row of a permutation is not.
TEST(ImportanceCommand, RefusesADecreaseThatIsNoNumber) {
  const TemporaryFolder folder;
  const Result result = call({"importance", kIris, "run_dir=" + (folder / "iris").string(),
                              "rng=sklearn", "max_samples=0.01"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_TRUE(contains(result.error, "r2 of the 1 scored row is not finite")) << result.error;
  EXPECT_FALSE(fs::exists(folder / "iris/importance.json"));
}

// A network of 4 features and 3 classes.
fs::path write_network(const TemporaryFolder& folder) {
  std::vector<float> first(5 * 4), second(3 * 5);
  for (size_t i = 0; i < first.size(); ++i) first[i] = std::sin(static_cast<float>(i));
  for (size_t i = 0; i < second.size(); ++i) second[i] = std::cos(static_cast<float>(i));
  fs::path file = folder / "net.npz";
  io::write_npz(file, {{"layer1.weight", Tensor::from<float>({5, 4}, first)},
                       {"layer2.weight", Tensor::from<float>({3, 5}, second)}});
  return file;
}

TEST(ImportanceCommand, TakesANetworkFromAFile) {
  const TemporaryFolder folder;
  const std::string network = "parameters=" + write_network(folder).string();
  const fs::path run = run_iris(folder, "iris", {"model=mlp", network, "metrics=[log_loss]"});
  const json found = result_of(run);
  const json expected = {
      {"kind", "mlp"}, {"network", "4-5-3"}, {"activation", "relu"}, {"precision", "float32"}};
  EXPECT_EQ(found["model"], expected);
  EXPECT_TRUE(contains(found["protocol"], "The model is the relu network 4-5-3 of net.npz"));
  const fs::path again =
      run_iris(folder, "again", {"model=mlp", network, "metrics=[log_loss]", "precision=float64"});
  for (size_t j = 0; j < 4; ++j) {
    const double a = found["metrics"][0]["groups"][j]["mean"];
    const double b = result_of(again)["metrics"][0]["groups"][j]["mean"];
    EXPECT_NEAR(a, b, 1e-5);
    EXPECT_NE(a, b);
  }
}

TEST(ImportanceCommand, WritesTheSameBytesOnAnyNumberOfThreads) {
  const TemporaryFolder networks;
  const std::string network = "parameters=" + write_network(networks).string();
  for (const Words& way : {Words{}, Words{"model=mlp", network, "metrics=[log_loss, accuracy]"},
                           Words{"rng=keyed", "donors=ridge_residual", "max_samples=0.5"},
                           Words{"rng=keyed", "mode=exact", "repeats=1",
                                 "groups={petal: [petal_length, petal_width]}"}}) {
    const TemporaryFolder folder;
    const auto words = [&](const char* threads) {
      Words all = way;
      all.emplace_back(threads);
      return all;
    };
    const fs::path one = run_iris(folder, "one", words("threads=1"));
    const fs::path five = run_iris(folder, "five", words("threads=5"));
    for (const char* file :
         {"importance.json", "importance.csv", "report.html", "journal/importance.h5"}) {
      EXPECT_TRUE(read_file(one / file) == read_file(five / file)) << file;
    }
  }
}

TEST(ImportanceCommand, ReportsGroupsAndWaysToPermute) {
  const TemporaryFolder folder;
  const fs::path run =
      run_iris(folder, "iris",
               {"rng=keyed", "mode=exact", "repeats=1", "model=centroid", "metrics=[accuracy]",
                "donors=within_class", "groups={petal: [petal_length, petal_width]}"});
  const json found = result_of(run);
  EXPECT_EQ(found["metrics"][0]["groups"][0]["columns"], (std::vector<int>{2, 3}));
  EXPECT_EQ(found["metrics"][0]["groups"].size(), 3u);
  EXPECT_EQ(found["mode"], "exact");
  EXPECT_TRUE(contains(read_file(run / "importance.csv"),
                       "accuracy,0.9266666666666666,petal,\"petal_length, petal_width\","));
  const std::string page = read_file(run / "report.html");
  for (const char* part : {"petal_length, petal_width", "own class", "<rect class=\"bar",
                           "Every row meets every donor once"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
}

TEST(ImportanceCommand, CallsALossThatIsNegatedAScore) {
  const TemporaryFolder folder;
  const fs::path run = run_iris(folder, "iris", {"metrics=[mse]"});
  EXPECT_LT(result_of(run)["metrics"][0]["baseline"], 0);
  EXPECT_TRUE(contains(result_of(run)["protocol"], "The score of a loss is the loss negated"));
  const std::string page = read_file(run / "report.html");
  for (const char* part : {"fall of the score (mse)", "Score (mse), -", "is the loss negated"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
  const Result again = call({"importance", kIris, "run_dir=" + run.string(), "metrics=[mse]"});
  EXPECT_TRUE(again.out.starts_with("score (mse) -")) << again.out;
}

TEST(ImportanceCommand, TakesShardsTogether) {
  const TemporaryFolder folder;
  const fs::path whole = run_iris(folder, "whole");
  const interp::ImportanceFolder parts{folder.path() / "parts"};
  for (const char* shard : {"--shard=0/3", "--shard=1/3", "--shard=2/3"}) {
    run_iris(folder, "parts", {shard});
    EXPECT_FALSE(fs::exists(parts.json()));
  }
  farm::merge_journals(parts.journal(),
                       {parts.journal({0, 3}), parts.journal({1, 3}), parts.journal({2, 3})});
  run_iris(folder, "parts");
  for (const char* file : {"importance.json", "report.html", "journal/importance.h5"}) {
    EXPECT_TRUE(read_file(whole / file) == read_file(parts.root / file)) << file;
  }
}

// The shards of a job array begin in the same moment.
TEST(ImportanceCommand, AFolderIsMadeByManyAtOnce) {
  const TemporaryFolder folder;
  constexpr int kRounds = 200;
  std::barrier together(4);
  const auto prepare = [&] {
    for (int round = 0; round < kRounds; ++round) {
      together.arrive_and_wait();
      const interp::ImportanceFolder made{folder.path() / fmt::format("run-{}", round)};
      EXPECT_NO_THROW(made.prepare(interp::Repeats::fixed));
    }
  };
  std::vector<std::jthread> shards;
  for (int i = 0; i < 4; ++i) shards.emplace_back(prepare);
}

// A damaged journal loses its damaged rows alone, which are computed again.
TEST(ImportanceCommand, MendsAJournal) {
  const TemporaryFolder folder;
  const fs::path run = run_iris(folder, "iris");
  const fs::path journal = run / "journal/importance.h5";
  const std::string whole = read_file(journal);
  const json values = result_of(run);
  const double some = values["metrics"][0]["groups"][2]["values"][4];
  std::string bytes(sizeof(some), '\0');
  std::memcpy(bytes.data(), &some, sizeof(some));
  std::string damaged = whole;
  const size_t place = damaged.find(bytes);
  ASSERT_NE(place, std::string::npos);
  damaged[place] = static_cast<char>(damaged[place] ^ 1);
  write_file_atomically(journal, damaged);
  run_iris(folder, "iris");
  EXPECT_TRUE(read_file(journal) == whole);
  EXPECT_EQ(result_of(run), values);
}

TEST(BenchImportance, PrintsWhatScriptsReadOfANetwork) {
  const TemporaryFolder folder;
  const std::string network = "parameters=" + write_network(folder).string();
  const Result result =
      call({"bench", "importance", "--json", kIris, "model=mlp", network, "metrics=[accuracy]"});
  ASSERT_EQ(result.code, kDone) << result.error;
  for (const char* precision : {"float32", "float64"}) {
    const json bench = json::parse(result.out).at(precision);
    for (const char* key : {"seconds", "cpu_seconds", "cells_per_s", "rows_per_s", "dense_gflops",
                            "gemm_gflops", "fraction_of_gemm"}) {
      EXPECT_GT(bench.at(key), 0) << key;
    }
    EXPECT_EQ(bench.at("cells"), 40);
    EXPECT_EQ(bench.at("rows"), 150);
    EXPECT_EQ(bench.at("dense_flops_per_row"), 2 * (4 * 5 + 5 * 3));
  }
}

TEST(ImportanceCommand, RefusesTheFolderOfAnotherJob) {
  const TemporaryFolder folder;
  const fs::path run = run_iris(folder, "iris");
  const std::string before = read_file(run / "importance.json");
  const Result result = call({"importance", kIris, "run_dir=" + run.string(), "seed=1", "--quiet"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_TRUE(contains(result.error,
                       "): seed is 42 instead of 1; choose another folder with run_dir=FOLDER\n"))
      << result.error;
  EXPECT_EQ(read_file(run / "importance.json"), before);
}

}  // namespace
}  // namespace outerloop::cli
