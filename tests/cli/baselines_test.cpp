// outerloop baselines as its user calls it.

#include <nlohmann/json.hpp>

#include "cli/call.h"

namespace outerloop::cli {
namespace {

using nlohmann::json;

const std::string kFlights = OUTERLOOP_SOURCE_DIR "/configs/flights_maml.yaml";

// datasets/flights/README.md, whose queries are all other rows; here 30 of them.
TEST(BaselinesCommand, ReachesThePublishedFiguresOfFlights) {
  const Result result = call({"baselines", kFlights, "--shots", "5,20", "--json"});
  ASSERT_EQ(result.code, kDone) << result.error;
  const json found = json::parse(result.out);
  const struct {
    const char* shots;
    const char* model;
    double published;
  } kCases[] = {{"5", "global mean", 1.020},  {"5", "support mean", 0.330},
                {"5", "task ridge", 0.320},   {"5", "pooled", 0.792},
                {"5", "hierarchical", 0.266}, {"20", "support mean", 0.290},
                {"20", "task ridge", 0.258},  {"20", "hierarchical", 0.237}};
  for (const auto& c : kCases) {
    const json& loss = found["shots"][c.shots]["loss"][c.model];
    EXPECT_NEAR(loss["mean"], c.published, 0.02 * c.published) << c.model << " from " << c.shots;
    EXPECT_EQ(loss["by_task"].size(), found["shots"][c.shots]["tasks"]);
  }
  EXPECT_EQ(found["shots"]["5"]["tasks"], 57);  // each drawn ten times
}

TEST(BaselinesCommand, NamesTheModels) {
  const Result result = call({"baselines", kFlights, "test.tasks=57"});
  ASSERT_EQ(result.code, kDone) << result.error;
  for (const char* words : {"from 10 support rows (57 tasks)", "task ridge", "hierarchical"}) {
    EXPECT_TRUE(contains(result.out, words)) << result.out;
  }
}

// Only units differ: the air times of flights, in minutes.
TEST(BaselinesCommand, WithoutStandardisingTheLossesAreInUnitsOfTheTarget) {
  const auto losses = [](const std::string& word) {
    const Result result = call({"baselines", kFlights, "test.tasks=57", word, "--json"});
    EXPECT_EQ(result.code, kDone) << result.error;
    return json::parse(result.out);
  };
  const json scaled = losses("tasks.table.standardise=true");
  const json plain = losses("tasks.table.standardise=false");
  const std::string shots = scaled["shots"].begin().key();
  const double unit = scaled["target_variance"];
  const auto mean = [&](const json& found) -> double {
    return found["shots"][shots]["loss"]["global mean"]["mean"];
  };
  EXPECT_NEAR(mean(plain), unit * mean(scaled), 1e-4 * mean(plain));
  EXPECT_EQ(plain["target_variance"], 1);
}

TEST(BaselinesCommand, RefusesWhatIsNoTableOfNumbers) {
  const Result result =
      call({"baselines", OUTERLOOP_SOURCE_DIR "/configs/sinusoid_maml.yaml", "test.tasks=10"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_TRUE(contains(result.error, "tasks.family = table")) << result.error;
}

}  // namespace
}  // namespace outerloop::cli
