#pragma once
// Results on disk: an HDF5 file with one row for each cell of the job.
//
//   /manifest/name, /manifest/content, /columns, /keys     texts
//   /values   f64 (cell, column); NaN in rows that are not done
//   /seals    u8 (cell, 8): xxh3-64 of job, cell and values; zeros: not done
//
// All of it is laid out when the file is made, which appears whole or not at all. From then on a
// result is two pwrite(2) into its row, and HDF5's own structure is never touched again, so
// whenever a process is killed or the power goes the file stays readable, and at most the results
// since the last sync (a second) are missing. A row whose seal does not fit is damaged and counts
// as not done. A complete journal is the same bytes whoever ran what when.
//
// Beside it lie JOURNAL.lock, held by whoever writes, and JOURNAL.live, what a run that is under
// way says of its rate.

#include <filesystem>
#include <vector>

#include "outerloop/farm/results.h"

namespace outerloop::farm {

struct JournalContent {
  Manifest manifest;
  Results results;
  std::vector<size_t> damaged;  // cells; they count as not done
};

// Any process may read while another one writes. Throws BadInput when the file is not there or no
// journal, CorruptFile when more than rows is damaged: then a run of the job mends it.
JournalContent read_journal(const std::filesystem::path& file);

// The rows of all journals, which must be of one job (BadInput), in the journal `target`. A target
// that exists is taken for one of them. Throws SystemFailure when two have other values for a cell.
JournalContent merge_journals(const std::filesystem::path& target,
                              const std::vector<std::filesystem::path>& journals);

}  // namespace outerloop::farm
