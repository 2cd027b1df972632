#pragma once
// The journal of a run that is under way.

#include <atomic>

#include "outerloop/base/file_lock.h"
#include "outerloop/base/log.h"
#include "outerloop/farm/journal.h"
#include "outerloop/io/row_file.h"

namespace outerloop::farm {

// Held by whoever writes the journal.
std::filesystem::path lock_of(const std::filesystem::path& journal);

// Makes the journal with these results in place of whatever is there, whole or not at all.
void write_journal(const std::filesystem::path& file, const Manifest& manifest,
                   const Results& results);

class JournalFile {
 public:
  // Makes the journal if there is none; else puts what it holds into `results`, which has the job's
  // keys and columns and no values yet. One that is damaged in more than rows is kept under another
  // name, and a new one gets its whole rows. Throws BadInput when it is in use, of another job or
  // no journal; `way_out` says what to do then (RunOptions).
  JournalFile(const std::filesystem::path& file, const Manifest& manifest, Results& results,
              const std::string& way_out, Log& log);

  void write(size_t cell, std::span<const double> values);
  // Waits until all that was written is on stable storage; beside write() in another thread.
  void sync();

 private:
  FileLock lock_;
  io::RowWriter rows_;
  std::atomic<bool> unsynced_ = false;
};

}  // namespace outerloop::farm
