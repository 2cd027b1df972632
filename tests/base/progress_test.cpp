#include "outerloop/base/progress.h"

#include <gtest/gtest.h>

#include <string>

namespace outerloop {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Collects what is written; time is given by hand.
struct Recorder {
  std::string text;
  Progress::Clock::time_point start = Progress::Clock::now();
  Progress make(Terminal terminal, std::int64_t total, std::int64_t from = 0) {
    return Progress(
        {.terminal = terminal, .total = total, .start = from},
        [this](std::string_view part) { text += part; }, start);
  }
};

TEST(Progress, WritesALineEveryFewSecondsWithoutATerminal) {
  Recorder recorder;
  Progress progress = recorder.make({}, 1000);
  for (int i = 1; i <= 100; ++i) {
    progress.update({.done = i, .loss = 0.5}, recorder.start + milliseconds(100 * i));
  }
  EXPECT_EQ(recorder.text,
            "1/1000   0%, 10.0 it/s, 1m39s left, loss 0.5\n"
            "51/1000   5%, 10.0 it/s, 1m34s left, loss 0.5\n");
  EXPECT_EQ(recorder.text.find('\x1b'), std::string::npos);
}

TEST(Progress, EndsWithTheLastSampleOnce) {
  Recorder recorder;
  Progress progress = recorder.make({}, 2);
  progress.update({.done = 2, .loss = 0.25, .accuracy = 0.961}, recorder.start + seconds(1));
  progress.finish(recorder.start + seconds(1));
  EXPECT_EQ(recorder.text, "2/2 100%, 2.0 it/s, loss 0.25, accuracy 96.1%\n");
}

TEST(Progress, CountsWhatHasNoLoss) {
  Recorder recorder;
  Progress progress = recorder.make({}, 2);
  progress.update({.done = 2}, recorder.start + seconds(1));
  progress.finish(recorder.start + seconds(1));
  EXPECT_EQ(recorder.text, "2/2 100%, 2.0 it/s\n");
}

TEST(Progress, CountsTheRateFromWhereTheProcessStarted) {
  Recorder recorder;
  Progress progress = recorder.make({}, 1000, 900);
  progress.update({.done = 910, .loss = 1}, recorder.start + seconds(10));
  EXPECT_EQ(recorder.text, "910/1000  91%, 1.0 it/s, 1m30s left, loss 1\n");
}

TEST(Progress, TakesTheStartFromTheFirstSampleIfItIsNotGiven) {
  Recorder recorder;
  Progress progress(
      {.total = 1000}, [&](std::string_view part) { recorder.text += part; }, recorder.start);
  progress.update({.done = 901, .loss = 1}, recorder.start + seconds(40));
  progress.update({.done = 910, .loss = 1}, recorder.start + seconds(49));
  EXPECT_EQ(recorder.text,
            "901/1000  90%, loss 1\n"
            "910/1000  91%, 1.0 it/s, 1m30s left, loss 1\n");
}

TEST(Progress, RedrawsABarOnATerminal) {
  Recorder recorder;
  Progress progress = recorder.make({.interactive = true, .color = false, .width = 100}, 10);
  progress.update({.done = 5, .loss = 1}, recorder.start + seconds(1));
  progress.update({.done = 6, .loss = 1}, recorder.start + seconds(1) + milliseconds(5));
  progress.finish(recorder.start + seconds(2));
  const std::string half(15, '='), gap(15, ' ');
  EXPECT_EQ(recorder.text, "\r\x1b[K[" + half + gap + "] 5/10  50%, 5.0 it/s, 1s left, loss 1" +
                               "\r\x1b[K[" + half + "===" + gap.substr(3) +
                               "] 6/10  60%, 3.0 it/s, 1s left, loss 1\n");
}

TEST(Progress, CountsInTheGivenUnit) {
  Recorder recorder;
  Progress progress(
      {.total = 10, .start = 0, .unit = "cells", .one = "cell"},
      [&](std::string_view part) { recorder.text += part; }, recorder.start);
  progress.update({.done = 2}, recorder.start + seconds(1));
  progress.update({.done = 5}, recorder.start + seconds(10));
  EXPECT_EQ(recorder.text,
            "2/10  20%, 2.0 cells/s, 4s left\n"
            "5/10  50%, 2.0 s/cell, 10s left\n");
}

TEST(Progress, FitsNarrowTerminals) {
  Recorder recorder;
  Progress progress = recorder.make({.interactive = true, .color = true, .width = 20}, 10);
  progress.update({.done = 5, .loss = 1}, recorder.start + seconds(1));
  EXPECT_EQ(recorder.text, "\r\x1b[K5/10  50%, 5.0 it/s");
}

TEST(Progress, SurvivesNothingToDoAndNoTime) {
  Recorder recorder;
  Progress progress = recorder.make({}, 0);
  progress.update({.done = 0, .loss = 0}, recorder.start);
  progress.finish(recorder.start);
  EXPECT_EQ(recorder.text, "0/0 100%, loss 0\n");
}

}  // namespace
}  // namespace outerloop
