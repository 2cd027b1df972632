// Journals that are whole, damaged, cut, of another job, and merged.

#include "outerloop/farm/journal.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "farm/identity.h"
#include "farm/journal_file.h"
#include "farm/toy_job.h"
#include "io/overwrite.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::farm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWayOut = "choose another folder";

class JournalTest : public testing::Test {
 protected:
  Results empty() const { return {keys_of(job_), job_.columns()}; }

  // Writes these cells into the journal, over what it holds already; what the log said.
  std::string put(const fs::path& file, const std::vector<size_t>& cells) {
    std::string said;
    Log log;
    log.add(LogLevel::info, [&said](LogLevel, std::string_view text) { said += text; });
    Results results = empty();
    JournalFile journal(file, job_.manifest(), results, kWayOut, log);
    std::vector<double> values(job_.columns().size());
    for (const size_t cell : cells) {
      job_.run(cell, 0, values);
      if (results.put(cell, values)) journal.write(cell, values);
    }
    return said;
  }

  std::vector<size_t> all() const {
    std::vector<size_t> cells(job_.cells().size());
    for (size_t i = 0; i < cells.size(); ++i) cells[i] = i;
    return cells;
  }

  // That every value is the job's.
  void expect_right(const Results& results) const {
    std::vector<double> values(job_.columns().size());
    ToyJob job = job_;
    for (size_t cell = 0; cell < results.cells(); ++cell) {
      if (!results.has(cell)) continue;
      job.run(cell, 0, values);
      ASSERT_EQ(std::memcmp(values.data(), results.values(cell).data(), values.size() * 8), 0);
    }
  }

  template <class E, class Call>
  static std::string error_of(Call&& call) {
    try {
      call();
    } catch (const E& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  ToyJob job_{40};
  TemporaryFolder folder_;
  fs::path file_ = folder_ / "a.h5";
};

TEST_F(JournalTest, HoldsWhatWasWritten) {
  put(file_, {3, 0, 17});
  const JournalContent content = read_journal(file_);
  EXPECT_EQ(content.manifest, job_.manifest());
  EXPECT_EQ(content.results.keys()[17], "task=17");
  EXPECT_EQ(content.results.columns(), job_.columns());
  EXPECT_EQ(content.results.done(), 3);
  EXPECT_TRUE(content.results.has(17) && !content.results.has(1));
  EXPECT_TRUE(content.damaged.empty());
  expect_right(content.results);
}

TEST_F(JournalTest, AnyHdf5ReaderSeesTheValues) {
  put(file_, {3});
  const io::Hdf5File hdf5 = io::Hdf5File::open_read(file_);
  const Tensor values = hdf5.read("values");
  ASSERT_EQ(values.shape(), (Shape{40, 3}));
  for (size_t column = 0; column < 3; ++column) {
    const double expected = job_.value(3, column);
    EXPECT_EQ(std::memcmp(&values.as<double>()[3 * 3 + column], &expected, 8), 0);
    EXPECT_TRUE(std::isnan(values.as<double>()[column]));
  }
  EXPECT_EQ(hdf5.read_bytes("seals").shape, (Shape{40, 8}));
  EXPECT_EQ(hdf5.read_texts("keys")[3], "task=3");
}

TEST_F(JournalTest, EqualResultsAreEqualBytesInWhateverOrderTheyCame) {
  put(file_, all());
  std::mt19937 random(5);
  for (int trial = 0; trial < 10; ++trial) {
    const fs::path other = folder_ / fmt::format("{}.h5", trial);
    std::vector<size_t> cells = all();
    std::ranges::shuffle(cells, random);
    const auto cut = cells.begin() + static_cast<int64_t>(random() % cells.size());
    put(other, {cells.begin(), cut});
    put(other, {cut, cells.end()});
    EXPECT_EQ(read_file(other), read_file(file_));
  }
}

TEST_F(JournalTest, OfAnotherJobIsRefusedAndStays) {
  put(file_, {1});
  const std::string before = read_file(file_);
  struct Case {
    Manifest manifest;
    std::vector<std::string> keys, columns;
    const char* said;
  };
  const auto keys = keys_of(job_);
  const std::vector<std::string> fewer(keys.begin(), keys.end() - 1);
  for (const Case& c :
       {Case{{"toy", "other seed"}, keys, job_.columns(), "its manifest has another content"},
        Case{{"shap", "toy"}, keys, job_.columns(), "toy instead of shap"},
        Case{job_.manifest(),
             keys,
             {"mean", "sd", "n"},
             "its cells have other values, repeats instead of n"},
        Case{job_.manifest(), fewer, job_.columns(), "it has other cells, 40 instead of 39"}}) {
    Log log;
    Results results(c.keys, c.columns);
    const std::string said =
        error_of<BadInput>([&] { JournalFile(file_, c.manifest, results, kWayOut, log); });
    EXPECT_NE(said.find(c.said), said.npos) << said;
    EXPECT_TRUE(said.ends_with(std::string("; ") + kWayOut)) << said;
    EXPECT_EQ(said.find('\n'), said.npos);
  }
  EXPECT_EQ(read_file(file_), before);
}

TEST_F(JournalTest, IsWrittenByOneProcessAtATime) {
  Log log;
  Results results = empty();
  const JournalFile held(file_, job_.manifest(), results, kWayOut, log);
  Results more = empty();
  const std::string said =
      error_of<BadInput>([&] { JournalFile(file_, job_.manifest(), more, kWayOut, log); });
  EXPECT_NE(said.find("another process is writing it"), said.npos) << said;
}

TEST_F(JournalTest, WhatIsNoJournalIsRefusedAndStays) {
  io::Hdf5File other = io::Hdf5File::create(folder_ / "other.h5");
  other.write_text("x", "y");
  other.close();
  write_file_atomically(folder_ / "text", "hello");
  write_file_atomically(folder_ / "empty", "");
  for (const char* name : {"other.h5", "text", "empty"}) {
    const std::string before = read_file(folder_ / name);
    const std::string said = error_of<BadInput>([&] { put(folder_ / name, {1}); });
    EXPECT_NE(said.find("is no journal of results"), said.npos) << said;
    EXPECT_THROW(read_journal(folder_ / name), BadInput);
    EXPECT_EQ(read_file(folder_ / name), before);
  }
  EXPECT_THROW(read_journal(folder_ / "none"), BadInput);
  fs::create_directory(folder_ / "folder");
  const std::string refused = error_of<BadInput>([&] { put(folder_ / "folder", {1}); });
  EXPECT_NE(refused.find("it is a folder; move it away"), refused.npos) << refused;
  const std::string said = error_of<BadInput>([&] { read_journal(folder_.path()); });
  EXPECT_NE(said.find("is a folder; name a journal"), said.npos) << said;
}

// A byte changed anywhere costs at most the cell that it is in, and the journal ends with the same
// bytes as one that was never damaged.
TEST_F(JournalTest, AChangedByteCostsAtMostItsCell) {
  put(file_, all());
  const std::string whole = read_file(file_);
  std::mt19937 random(7);
  int of_rows = 0, of_structure = 0;
  for (int trial = 0; trial < 150; ++trial) {
    const fs::path file = folder_ / "flipped.h5";
    std::string flipped = whole;
    // The first ones hit the beginning, where a file says what it is.
    flipped[random() % (trial < 20 ? 20 : whole.size())] ^= static_cast<char>(1 << random() % 8);
    write_file_atomically(file, flipped);
    const std::string said = put(file, {});
    const Results kept = read_journal(file).results;
    expect_right(kept);
    ASSERT_GE(kept.done(), std::ssize(all()) - 1);
    (said.find("damaged results will run again") != said.npos ? of_rows : of_structure) += 1;
    put(file, all());
    ASSERT_EQ(read_file(file), whole) << "trial " << trial;
    fs::remove(file.string() + ".damaged");
  }
  EXPECT_GT(of_rows, 5);
  EXPECT_GT(of_structure, 5);
}

TEST_F(JournalTest, ATruncatedOneKeepsWhatIsLeft) {
  put(file_, all());
  const std::string whole = read_file(file_);
  for (size_t size = 600; size < whole.size(); size += 211) {
    const fs::path file = folder_ / "cut.h5";
    write_file_atomically(file, whole.substr(0, size));
    EXPECT_NE(error_of<CorruptFile>([&] { read_journal(file); }).find("truncated"),
              std::string::npos);
    put(file, {});
    expect_right(read_journal(file).results);
    put(file, all());
    ASSERT_EQ(read_file(file), whole) << size;
    EXPECT_EQ(read_file(file.string() + ".damaged").size(), size);
    fs::remove(file.string() + ".damaged");
  }
}

// Several bytes at once, half of the trials in the structure: any outcome but a crash, a hang,
// another kind of exception or a wrong value.
TEST_F(JournalTest, RandomBytesDoNotCrashTheReader) {
  put(file_, all());
  const size_t size = fs::file_size(file_);
  std::mt19937 random(11);
  int refused = 0;
  for (int trial = 0; trial < 1500; ++trial) {
    const size_t range = trial % 2 == 0 ? size : 520;
    const Overwrite first(file_, random() % range, [&](char) { return random() % 256; });
    const Overwrite second(file_, random() % range, [&](char) { return '0' + random() % 10; });
    try {
      expect_right(read_journal(file_).results);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 300);
}

TEST_F(JournalTest, MergedShardsAreTheWholeInAnyOrder) {
  put(file_, all());
  std::vector<fs::path> shards;
  for (size_t i = 0; i < 3; ++i) {
    shards.push_back(folder_ / fmt::format("shard-{}.h5", i));
    std::vector<size_t> cells;
    for (size_t cell = i; cell < all().size(); cell += 3) cells.push_back(cell);
    cells.push_back(5);  // all have it
    put(shards.back(), cells);
  }
  EXPECT_TRUE(merge_journals(folder_ / "1.h5", shards).results.complete());
  EXPECT_EQ(read_file(folder_ / "1.h5"), read_file(file_));
  // What comes later is added.
  EXPECT_FALSE(merge_journals(folder_ / "2.h5", {shards[2]}).results.complete());
  EXPECT_TRUE(merge_journals(folder_ / "2.h5", {shards[1], shards[0]}).results.complete());
  EXPECT_EQ(read_file(folder_ / "2.h5"), read_file(file_));
}

TEST_F(JournalTest, AMergeLeavesDamagedRowsOutAndTakesThemWhereTheyAreWhole) {
  put(file_, all());
  const fs::path other = folder_ / "other.h5";
  put(other, all());
  const int64_t place = io::Hdf5File::open_read(other).place_of("values");
  const Overwrite flip(other, static_cast<size_t>(place) + 24 * 7, [](char c) { return ~c; });
  EXPECT_EQ(read_journal(other).damaged, std::vector<size_t>{7});
  const JournalContent alone = merge_journals(folder_ / "alone.h5", {other});
  EXPECT_EQ(alone.results.done(), 39);
  EXPECT_EQ(alone.damaged, std::vector<size_t>{7});
  EXPECT_TRUE(merge_journals(folder_ / "both.h5", {other, file_}).damaged.empty());
  EXPECT_EQ(read_file(folder_ / "both.h5"), read_file(file_));
}

TEST_F(JournalTest, AMergeLeavesAFileThatIsNoJournalAlone) {
  put(file_, all());
  write_file_atomically(folder_ / "table.csv", "a,b");
  EXPECT_THROW(merge_journals(folder_ / "table.csv", {file_}), BadInput);
  EXPECT_EQ(read_file(folder_ / "table.csv"), "a,b");
  EXPECT_FALSE(fs::exists(folder_ / "table.csv.lock"));
}

TEST_F(JournalTest, AMergeRefusesOtherJobsAndOtherValues) {
  put(file_, {1, 2});
  const ToyJob job(40, "other seed");
  Log log;
  Results results(keys_of(job), job.columns());
  { const JournalFile other(folder_ / "other.h5", job.manifest(), results, kWayOut, log); }
  std::string said = error_of<BadInput>([&] {
    merge_journals(folder_ / "m.h5", {file_, folder_ / "other.h5"});
  });
  EXPECT_NE(said.find("is of another job than"), said.npos) << said;

  Results wrong = empty();
  const std::vector<double> values{1, 2, 3};
  { JournalFile(folder_ / "wrong.h5", job_.manifest(), wrong, kWayOut, log).write(2, values); }
  said = error_of<SystemFailure>([&] {
    merge_journals(folder_ / "m.h5", {file_, folder_ / "wrong.h5"});
  });
  EXPECT_NE(said.find("task=2 gave other values than before"), said.npos) << said;
  EXPECT_FALSE(fs::exists(folder_ / "m.h5"));
}

}  // namespace
}  // namespace outerloop::farm
