// How an evaluation's protocol is overridden.

#include "outerloop/train/protocol_overrides.h"

#include "outerloop/base/error.h"
#include "support/message_of.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

TEST(ProtocolOverrides, LeaveUnknownKeysToTheReaderWhichKnowsTheNearest) {
  const std::vector<std::string> unknown = {"tets.ways=3", "steps"};
  EXPECT_EQ(protocol_overrides(unknown), unknown);
  EXPECT_EQ(protocol_overrides(std::vector<std::string>{"inner.steps=3"}),
            std::vector<std::string>{"test.steps=3"});
  EXPECT_THROW(protocol_overrides(std::vector<std::string>{"inner.rate=3"}), BadInput);
}

TEST(ProtocolOverrides, AreCheckedByTheKeyThatWasWritten) {
  struct Case {
    std::vector<std::string> words;
    std::string error;
  };
  for (const auto& [words, error] : std::vector<Case>{
           {{"inner.steps=0"},
            "command line: word 1: inner.steps: expected a whole number from 1 to 100000, got '0'"},
           {{"test.steps=2", "tasks.shots=0"},
            "command line: word 2: tasks.shots: expected a whole number from 1 to 10000, got '0'"},
           {{"tasks.rotation=as_training"},
            "command line: word 1: tasks.rotation: expected one of none, per_class, as_classes, "
            "got "
            "'as_training'"},
           {{"tasks.ways=5", "test.ways=6"},
            "'tasks.ways=5' and 'test.ways=6' set the same thing here; remove one"},
       }) {
    EXPECT_EQ(message_of<BadInput>([&words = words] { protocol_overrides(words); }), error);
  }
  EXPECT_EQ(protocol_overrides(std::vector<std::string>{"test.steps=0"}),
            std::vector<std::string>{"test.steps=0"});
}

TEST(ProtocolOverrides, AreAllNamedWhereAnotherIsRefused) {
  EXPECT_EQ(
      message_of<BadInput>([] { protocol_overrides(std::vector<std::string>{"inner.batch=2"}); }),
      "'inner.batch=2' would change what was learned; these can be set here: test.*, "
      "runtime.*, tasks.dataset, tasks.split, tasks.ways, tasks.shots, tasks.queries, "
      "tasks.rotation, tasks.within, inner.steps");
}

TEST(ProtocolOverrides, AreRefusedByTheKeyThatWasWritten) {
  const std::vector<std::string> words = {"tasks.ways=3", "test.shots=2", "inner.steps=9"};
  const config::ConfigErrors refused(
      {"a.h5:1:1: test.ways: wrong", "command line: word 1: test.ways: wrong",
       "command line: word 1: test.batch: wrong", "command line: word 2: test.shots: wrong",
       "command line: word 3: test.steps: wrong"});
  const std::vector<std::string> expected = {
      "a.h5:1:1: test.ways: wrong", "command line: word 1: tasks.ways, here test.ways: wrong",
      "command line: word 1: test.batch: wrong", "command line: word 2: test.shots: wrong",
      "command line: word 3: inner.steps, here test.steps: wrong"};
  EXPECT_EQ(by_written_keys(refused, words).lines(), expected);
}

}  // namespace
}  // namespace outerloop::train
