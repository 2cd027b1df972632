#include <cmath>
#include <nlohmann/json.hpp>

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/sweep/result.h"
#include "sweep/sweep_folder.h"

namespace outerloop::sweep {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

class TableTest : public SweepTest {
 protected:
  // A finished run with these medians in validation, and in the test.
  void finish(const Point& point, const std::vector<double>& validation, double test) {
    const train::RunFolder run = sweep_.run(point);
    fs::create_directories(run.checkpoints());
    std::ofstream(run.checkpoints() / "ckpt-1.h5") << "content";
    const std::string hash = checkpoint::content_hash(run.checkpoints() / "ckpt-1.h5");
    const Json statistic{{"mean", 99.0}, {"ci95", 1.0}, {"median", test}, {"tasks", 10}};
    std::ofstream(run.summary()) << Json{{"config_hash", point.hash},
                                         {"final_checkpoint", "ckpt-1.h5"},
                                         {"final_content_hash", hash},
                                         {"checkpoint", "ckpt-1.h5"},
                                         {"content_hash", hash},
                                         {"test", test_of(statistic)}}
                                        .dump();
    std::ofstream metrics(run.metrics());
    metrics << R"({"iteration":1,"kind":"train","loss":0.0})" << '\n';
    int64_t iteration = 0;
    for (const double value : validation) {
      metrics
          << Json{{"iteration", ++iteration}, {"kind", "validation"}, {"loss_median", value}}.dump()
          << '\n';
    }
  }
  Json test_of(const Json& loss) const {
    return {{"loss", loss}, {"tasks", 10}, {"diverged", lost_}};
  }
  int lost_ = 2;  // test tasks that diverged

  // Rates 0.1 and 0.2, two seeds each.
  Plan two_by_two() { return plan("grid: {inner.rate: [0.1, 0.2]}\nseeds: 2\n"); }
};

TEST_F(TableTest, RanksSettingsByTheirBestValidationOverSeeds) {
  const Plan planned = two_by_two();
  finish(planned.points[0], {5, 3, 4}, 0.1);
  finish(planned.points[1], {5, 5, 5}, 0.3);
  finish(planned.points[2], {2, 9}, 0.7);
  finish(planned.points[3], {2, 1}, 0.7);
  const Table table = tabulate(sweep_, planned);
  EXPECT_TRUE(table.validated);
  EXPECT_EQ(table.measure, "loss");
  ASSERT_EQ(table.settings.size(), 2U);
  const Setting& best = table.settings[0];
  EXPECT_EQ(best.values, std::vector<std::string>{"0.2"});
  EXPECT_DOUBLE_EQ(best.score.mean, 1.5);
  // Student's t of one degree of freedom at 97.5 %, times the standard error 0.5.
  EXPECT_NEAR(best.score.half, 12.706204736432095 * 0.5, 1e-9);
  ASSERT_EQ(best.curve.size(), 2U);
  EXPECT_DOUBLE_EQ(best.curve[1].value.mean, 5);
  EXPECT_DOUBLE_EQ(table.settings[1].score.mean, 4);
  EXPECT_DOUBLE_EQ(table.settings[1].test.mean, 0.2);
  EXPECT_EQ(table.settings[1].curve.size(), 3U);
}

TEST_F(TableTest, WithoutValidationTheTestRanksAndSettingsWithoutAResultComeLast) {
  const Plan planned = two_by_two();
  finish(planned.points[2], {}, 0.7);
  const Table table = tabulate(sweep_, planned);
  EXPECT_FALSE(table.validated);
  EXPECT_EQ(table.done, 1);
  EXPECT_EQ(table.settings[0].values, std::vector<std::string>{"0.2"});
  EXPECT_DOUBLE_EQ(table.settings[0].score.mean, 0.7);
  EXPECT_TRUE(std::isnan(table.settings[0].score.half));
  EXPECT_EQ(table.settings[1].score.seeds, 0);
  EXPECT_EQ(to_csv(table),
            "rank,inner.rate,score,score_ci95,test,test_ci95,seeds,without_score,planned,diverged,"
            "test_tasks,measure,statistic\n"
            "1,0.2,0.7,,0.7,,1,0,2,2,10,loss,median\n"
            "2,0.1,,,,,0,0,2,0,0,loss,median\n");
  EXPECT_EQ(to_text(table, 1),
            "rank  inner.rate  median test loss  diverged  seeds\n"
            "1     0.2         0.7               2 of 10   1 of 2\n"
            "… and 1 more settings\n");
  EXPECT_EQ(diverged_in_words(table.settings[1]), "-");
}

TEST_F(TableTest, ASeedThatDivergedPutsItsSettingBehindThoseWithout) {
  const Plan planned = two_by_two();
  lost_ = 0;
  finish(planned.points[0], {}, 0.7);
  finish(planned.points[1], {}, 0.8);
  finish(planned.points[2], {}, 0.1);
  finish(planned.points[3], {}, std::numeric_limits<double>::infinity());
  const Table table = tabulate(sweep_, planned);
  EXPECT_EQ(table.settings[0].values, std::vector<std::string>{"0.1"});
  EXPECT_EQ(to_text(table, 2),
            "rank  inner.rate  median test loss  seeds\n"
            "1     0.1         0.75 ± 0.64       2 of 2\n"
            "2     0.2         0.1               2 of 2, 1 without a score\n");
}

TEST_F(TableTest, OfClassesTheMostAccurateComesFirst) {
  const Plan planned = plan("set: {tasks.family: images, tasks.dataset: " OUTERLOOP_SOURCE_DIR
                            "/configs/datasets/omniglot28.h5, tasks.ways: 5, model.kind: "
                            "conv4}\n"
                            "grid: {inner.rate: [0.1, 0.2]}\n");
  for (const auto& [place, accuracy] : {std::pair{0, 0.4}, std::pair{1, 0.6}}) {
    const Point& point = planned.points[static_cast<size_t>(place)];
    finish(point, {}, 1 - accuracy);
    Json summary = Json::parse(read_file(sweep_.run(point).summary()));
    summary["test"]["accuracy"] = {{"mean", accuracy}};
    std::ofstream(sweep_.run(point).summary()) << summary.dump();
  }
  const Table table = tabulate(sweep_, planned);
  EXPECT_EQ(measure_in_words(table, "test"), "test accuracy");
  EXPECT_EQ(table.statistic, "mean");
  EXPECT_EQ(table.settings[0].values, std::vector<std::string>{"0.2"});
  EXPECT_DOUBLE_EQ(table.settings[0].score.mean, 0.6);
}

TEST_F(TableTest, KeysThatAListEntryDoesNotSetHaveTheBaseConfigsValue) {
  const Plan planned = plan("list:\n- {inner.rate: 0.5}\n- {model.hidden: [8, 9]}\n");
  const Table table = tabulate(sweep_, planned);
  EXPECT_EQ(table.settings[0].values, (std::vector<std::string>{"0.5", "[40, 40]"}));
  EXPECT_EQ(table.settings[1].values, (std::vector<std::string>{"0.01", "[8, 9]"}));
  EXPECT_NE(to_csv(table).find("2,0.01,\"[8, 9]\","), std::string::npos);
}

TEST_F(TableTest, JsonHoldsSeedsAndCurves) {
  const Plan planned = two_by_two();
  finish(planned.points[0], {5, 3}, 0.1);
  const auto json = nlohmann::json::parse(to_json(tabulate(sweep_, planned)));
  EXPECT_EQ(json["score"], "best validation");
  EXPECT_EQ(json["measure"], "loss");
  EXPECT_EQ(json["statistic"], "median");
  const auto& best = json["settings"][0];
  EXPECT_EQ(best["values"][0], "0.1");
  EXPECT_EQ(best["seeds"][0]["seed"], "0");
  EXPECT_EQ(best["seeds"][0]["score"], 3);
  EXPECT_EQ(best["seeds"][0]["diverged"], 2);
  EXPECT_EQ(best["seeds"][0]["tasks"], 10);
  EXPECT_EQ(best["validation"][1]["mean"], 3);
  EXPECT_TRUE(best["score"]["ci95"].is_null());
}

}  // namespace
}  // namespace outerloop::sweep
