// What the report of a run says of its intervals and bands.

#include <gtest/gtest.h>

#include "io/temporary_folder.h"
#include "outerloop/interp/run_importance.h"
#include "outerloop/interp/statistics.h"
#include "support/message_of.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

EstimandFinding finding_of(const std::string& name, const std::vector<Numbers>& columns) {
  const JointBand band = joint_band(columns, SignFlips::of(columns.front().size(), 2000, 1));
  EstimandFinding finding{.name = name};
  for (const double half : band.half) finding.groups.push_back({.band_half = half});
  return finding;
}

std::string protocol_of(int64_t tasks, const std::vector<EstimandFinding>& findings) {
  RunImportance result{.tasks = tasks};
  result.spec.seed = 1;
  result.metrics.push_back({.metric = "accuracy", .estimands = findings});
  return describe_protocol(result);
}

TEST(Protocol, SaysWhichEstimandsHaveABand) {
  const EstimandFinding bounded =
      finding_of("query", {{1, 2, 0.5, -1, 0.125, 0}, {3, 1, 4, 1, 5, 9}});
  const EstimandFinding unbounded =
      finding_of("support", {{0, 0, 0, 0.1, 0.1, 0.1}, {0, 0.1, 0, 0.1, 0, 0.1}});
  const EstimandFinding of_three = finding_of("query", {{1, 2, 4}});
  EXPECT_CONTAINS(protocol_of(6, {bounded}), "together with 95 % (sign flips over tasks).");
  EXPECT_CONTAINS(protocol_of(6, {unbounded}),
                  "there is no joint band, as 6 tasks with so few different values have too few "
                  "patterns of signs for 95 %: more tasks would do.");
  EXPECT_CONTAINS(protocol_of(6, {bounded, unbounded}),
                  "(sign flips over tasks); there is none for 1 of 2 estimands, as 6 tasks with");
  EXPECT_CONTAINS(protocol_of(3, {of_three}),
                  "there is no joint band, as 3 tasks have too few patterns of signs for 95 %: 6 "
                  "tasks would do.");
}

}  // namespace
}  // namespace outerloop::interp
