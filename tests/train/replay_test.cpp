// The hashes of a training: the same however it is made, met again by a replay, and the way to the
// one bit in which two courses part.

#include "outerloop/train/replay.h"

#include <fmt/format.h>

#include <bit>
#include <random>

#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"
#include "outerloop/train/divergence.h"
#include "outerloop/train/setup.h"
#include "support/message_of.h"
#include "train/hash_file.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kIterations = 40;
constexpr int64_t kSlots = 5;
const Words kShort{"outer.meta_batch=5",     "outer.iterations=40", "validation.every=0",
                   "test.tasks=0",           "checkpoint.every=15", "log.every_iterations=20",
                   "checkpoint.keep_last=9", "runtime.threads=1"};

// One bit of one task's gradient.
struct Flip {
  int64_t iteration = 0;  // from 0
  int64_t slot = 0;
  std::string tensor;
  int64_t element = 0;  // of the flat gradient
  int bit = 0;

  GradientHook hook() const {
    return [*this](int64_t i, int64_t s, int64_t first, std::span<float> part) {
      const auto place = static_cast<size_t>(element - first);
      if (i != iteration || s != slot || element < first || place >= part.size()) return;
      float& value = part[place];
      value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) ^ (1u << bit));
    };
  }
};

class Hashes : public testing::Test {
 protected:
  config::Resolved config(const std::string& name, const Words& words = {}) const {
    return shipped("sinusoid_maml", folder_ / name, kShort + words);
  }

  fs::path trained(const std::string& name, const Words& words = {},
                   const GradientHook& hook = {}) const {
    TrainOptions options;
    options.gradient_hook = hook;
    train(config(name, words), options);
    return folder_ / name;
  }

  // What each rank threw, if it did so together with the others.
  std::vector<std::string> train_on(int ranks, const config::Resolved& resolved,
                                    const GradientHook& hook = {}) const {
    std::vector<std::string> errors(static_cast<size_t>(ranks));
    comm::run_ranks(ranks, [&](comm::Communicator& rank) {
      TrainOptions options;
      options.ranks = &rank;
      options.gradient_hook = hook;
      try {
        train(resolved, options);
      } catch (const comm::AgreedFailure& error) {
        errors[static_cast<size_t>(rank.rank())] = error.what();
      }
    });
    return errors;
  }

  Flip random_flip(std::mt19937& random) const {
    const auto below = [&random](int64_t n) { return static_cast<int64_t>(random() % n); };
    const optim::ThetaLayout layout =
        layout_of(make_setup(config("none").config, {}).learner.parameters);
    const optim::ThetaEntry& entry =
        layout.entries[static_cast<size_t>(below(static_cast<int64_t>(layout.entries.size())))];
    // Bits of the mantissa: the gradient stays finite.
    return {.iteration = below(kIterations),
            .slot = below(kSlots),
            .tensor = entry.name,
            .element = entry.offset + below(entry.shape.elements()),
            .bit = static_cast<int>(below(23))};
  }

  TemporaryFolder folder_;
};

std::string hashes_of(const fs::path& run) {
  return read_file(RunFolder{run}.hashes());
}

TEST_F(Hashes, AreTheSameOnAnyRanksAndThreadsAndAfterAStop) {
  const std::string known = hashes_of(trained("one"));
  EXPECT_EQ(hashes_of(trained("threads", {"runtime.threads=3"})), known);
  train_on(3, config("ranks"));
  EXPECT_EQ(hashes_of(folder_ / "ranks"), known);
  train_until(config("resumed"), 22);
  trained("resumed");
  EXPECT_EQ(hashes_of(folder_ / "resumed"), known);
  EXPECT_NE(hashes_of(trained("other", {"seed=2"})), known);
  trained("one", {"log.hashes=false", "outer.iterations=41"});
  EXPECT_FALSE(fs::exists(RunFolder{folder_ / "one"}.hashes()));
}

// Older programs logged the bits of gradients that are not finite: those say nothing.
TEST_F(Hashes, OfSlotsThatAreLeftOutMayBeAnOlderPrograms) {
  const fs::path run =
      trained("run", {"outer.meta_batch=1", "outer.rate=1e-5", "outer.iterations=20",
                      "inner.steps=20", "inner.rate=0.8", "stop.max_nonfinite=1000"});
  const fs::path file = RunFolder{run}.hashes();
  const HashFile hashes(file);
  size_t place = 0;
  while (place < hashes.rows() && hashes.row(place).slots[0] != 0) ++place;
  ASSERT_LT(place, hashes.rows()) << "no task diverged";
  const int64_t iteration = hashes.iteration(place);
  const size_t state = hashes.bytes_until(place) + sizeof(int64_t);
  const size_t slot = state + hashes.names().parameters.size() * sizeof(uint32_t);
  const auto flip = [&file](size_t byte) {
    std::string content = read_file(file);
    content[byte] = static_cast<char>(content[byte] ^ 1);
    write_file_atomically(file, content);
  };
  EXPECT_FALSE(replay(run, iteration, 0).task.finite);
  flip(slot);
  flip(slot + sizeof(uint32_t));  // of a gradient
  EXPECT_FALSE(replay(run, iteration, 0).task.finite);
  flip(state);
  EXPECT_THROW(replay(run, iteration, 0), SystemFailure);
}

TEST_F(Hashes, AreMetByTheReplayOfAnyTask) {
  const fs::path run = trained("run", {"outer.optimizer=adam", "outer.ema=0.9"});
  struct Case {
    int64_t iteration, slot, started_from;
  };
  for (const auto& [iteration, slot, started_from] :
       std::vector<Case>{{1, 0, 0}, {15, 4, 0}, {16, 2, 15}, {29, 3, 15}, {40, 1, 30}}) {
    const Replay replayed = replay(run, iteration, slot);
    EXPECT_EQ(replayed.started_from, started_from) << iteration;
    EXPECT_TRUE(replayed.task.finite);
  }
}

TEST_F(Hashes, NameTheFirstFlippedBit) {
  const fs::path whole = trained("whole");
  EXPECT_FALSE(compare_runs(whole, trained("same", {"runtime.threads=2"})).first);
  std::mt19937 random(7);
  for (int i = 0; i < 8; ++i) {
    const Flip flip = random_flip(random);
    const fs::path run = trained(fmt::format("flipped{}", i), {}, flip.hook());
    const std::string place =
        fmt::format("iteration {}, slot {}, tensor {}", flip.iteration + 1, flip.slot, flip.tensor);
    const Comparison comparison = compare_runs(whole, run);
    EXPECT_EQ(describe(comparison), "first divergence: " + place + "\n");
    // A replay computes rightly what went wrong in training.
    EXPECT_CONTAINS(message_of<SystemFailure>([&] { replay(run, flip.iteration + 1, flip.slot); }),
                    "the replay differs from the training: " + place + ";");
  }
}

TEST_F(Hashes, OfTheStateTellAFaultyUpdate) {
  const fs::path run = trained("run"), other = folder_ / "other";
  fs::copy(run, other, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  // The state by parameter comes first in a row.
  std::string bytes = hashes_of(other);
  const size_t row = sizeof(int64_t) + sizeof(uint32_t) * (kSlots + 2 * 6);
  bytes[bytes.size() - 3 * row + sizeof(int64_t) + 2 * sizeof(uint32_t)] ^= 1;
  write_file_atomically(RunFolder{other}.hashes(), bytes);
  const std::string text = describe(compare_runs(run, other));
  EXPECT_CONTAINS(text, "iteration 38, all gradients agree, after the update tensor ");
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { replay(other, 40, 0); }), "iteration 38, all");
}

TEST_F(Hashes, ASelfCheckNamesTheRankThatErred) {
  const fs::path known = trained("known");
  EXPECT_EQ(train_on(3, config("fine", {"runtime.self_check=3"})),
            (std::vector<std::string>{"", "", ""}));
  EXPECT_TRUE(same_checkpoints(newest_checkpoint(known), newest_checkpoint(folder_ / "fine")));

  std::mt19937 random(8);
  Flip flip = random_flip(random);
  flip.iteration = 26;  // the ninth check is of slot 9 mod 5
  flip.slot = 4;
  const auto errors = train_on(3, config("flipped", {"runtime.self_check=3"}), flip.hook());
  for (const std::string& error : errors) {
    EXPECT_EQ(error, errors[0]);
    // Who has the slot depends on the ranks' speeds; the next one checks it.
    const int owner = error.find("self-check: rank 2 on ") != error.npos ? 2 : 1;
    EXPECT_CONTAINS(error, fmt::format("self-check: rank {} on ", owner));
    EXPECT_CONTAINS(error,
                    fmt::format("computed another gradient than rank {} on ", (owner + 1) % 3));
    EXPECT_CONTAINS(error, "at iteration 27, slot 4, first in tensor " + flip.tensor + ";");
  }
  EXPECT_CONTAINS(
      message_of<SystemFailure>([&] { trained("alone", {"runtime.self_check=3"}, flip.hook()); }),
      "computed another gradient than when it did so again at iteration 27, slot 4, "
      "first in tensor " +
          flip.tensor + ";");
  // Nothing of it is in a checkpoint: the same command goes on rightly.
  train_on(2, config("flipped", {"runtime.self_check=3"}));
  EXPECT_TRUE(same_checkpoints(newest_checkpoint(known), newest_checkpoint(folder_ / "flipped")));
}

}  // namespace
}  // namespace outerloop::train
