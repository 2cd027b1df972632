#include "outerloop/farm/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "farm/identity.h"
#include "farm/journal_file.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::farm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "outerloop-journal";
constexpr int64_t kVersion = 1;
constexpr size_t kLongestShown = 40;  // of values that differ; hashes are longer

void make_empty(const fs::path& file, const Manifest& manifest, const Results& results) {
  io::create_row_file(file, static_cast<int64_t>(results.cells()), std::ssize(results.columns()),
                      [&](io::Hdf5File& hdf5) {
                        hdf5.set_attribute_text("/", "format", kFormat);
                        hdf5.set_attribute_int("/", "format_version", kVersion);
                        hdf5.write_text("manifest/name", manifest.name);
                        hdf5.write_text("manifest/content", manifest.content);
                        hdf5.write_texts("columns", results.columns());
                        hdf5.write_texts("keys", results.keys());
                      });
}

// Puts the whole rows into `results`; returns the damaged ones.
std::vector<size_t> take_rows(const io::RowSnapshot& rows, Results& results) {
  std::vector<size_t> damaged;
  std::vector<double> values(results.columns().size());
  for (size_t cell = 0; cell < results.cells(); ++cell) {
    const io::RowState state = rows.read(static_cast<int64_t>(cell), values);
    if (state == io::RowState::whole) results.put(cell, values);
    if (state == io::RowState::damaged) damaged.push_back(cell);
  }
  return damaged;
}

fs::path unused_name(const fs::path& file) {
  fs::path name = file.string() + ".damaged";
  for (int i = 2; fs::exists(name); ++i) name = fmt::format("{}.damaged-{}", file.string(), i);
  return name;
}

// The first key that two contents of JSON differ in, with its values where they are short.
std::string difference(const std::string& a_content, const std::string& b_content) {
  using Json = nlohmann::ordered_json;
  const Json a = Json::parse(a_content, nullptr, /*allow_exceptions=*/false);
  const Json b = Json::parse(b_content, nullptr, /*allow_exceptions=*/false);
  if (!a.is_object() || !b.is_object()) return "its manifest has another content";
  for (const auto& [key, value] : a.items()) {
    if (!b.contains(key)) return fmt::format("it has {}", key);
    if (value == b[key]) continue;
    const std::string in_a = value.dump(), in_b = b[key].dump();
    const bool short_ones = std::max(in_a.size(), in_b.size()) <= kLongestShown;
    return short_ones ? fmt::format("{} is {} instead of {}", key, in_a, in_b)
                      : fmt::format("it has another {}", key);
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key)) return fmt::format("it has no {}", key);
  }
  return "its manifest has another content";
}

// Of cells or their values: their numbers, or the first two that differ.
std::string difference(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a.size() != b.size()) return fmt::format("{} instead of {}", a.size(), b.size());
  const auto [in_a, in_b] = std::ranges::mismatch(a, b);
  return fmt::format("{} instead of {}", *in_a, *in_b);
}

// Why the two are of different jobs, or nothing.
std::string difference(const Manifest& a, const Results& a_results, const Manifest& b,
                       const Results& b_results) {
  if (a.name != b.name) return fmt::format("{} instead of {}", a.name, b.name);
  if (a.content != b.content) return difference(a.content, b.content);
  if (a_results.columns() != b_results.columns()) {
    return "its cells have other values, " + difference(a_results.columns(), b_results.columns());
  }
  if (a_results.keys() != b_results.keys()) {
    return "it has other cells, " + difference(a_results.keys(), b_results.keys());
  }
  return {};
}

std::string id_of(const Manifest& manifest, const Results& results) {
  return identity_of(manifest, results.columns(), results.keys()).substr(0, 8);
}

// The layout that the journal of this job has.
io::RowLayout layout_for(const fs::path& beside, const Manifest& manifest, const Results& results) {
  const AtomicFile scratch(beside);
  make_empty(scratch.temporary(), manifest, results);
  return io::RowSnapshot(scratch.temporary()).layout();
}

// Keeps what is whole of a file whose structure is damaged.
void mend(const fs::path& file, const Manifest& manifest, Results& results, const std::string& why,
          const std::string& way_out, Log& log) {
  const io::RowLayout layout = layout_for(file, manifest, results);
  const bool is_journal =
      io::looks_like_row_file(file) || static_cast<int64_t>(fs::file_size(file)) == layout.bytes;
  if (!is_journal) {
    throw BadInput(
        fmt::format("{}: is no journal of results; move it away, or {}", file.string(), way_out));
  }
  take_rows(io::RowSnapshot(file, layout), results);
  const fs::path kept = unused_name(file);
  fs::copy_file(file, kept);
  write_journal(file, manifest, results);
  log.warning("{}: {} of {} results are whole and were kept; the damaged file is now {}", why,
              results.done(), results.cells(), kept.string());
}

FileLock locked(const fs::path& file, const std::string& way_out) {
  std::error_code error;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), error);
  if (error) {
    throw BadInput(fmt::format("{}: cannot make the folder: {}", file.string(), error.message()));
  }
  auto lock = FileLock::take(lock_of(file));
  if (!lock) {
    throw BadInput(fmt::format("{}: another process is writing it; wait for its end or {}",
                               file.string(), way_out));
  }
  return std::move(*lock);
}

// Leaves a file that is there and holds `results`.
io::RowWriter open_rows(const fs::path& file, const Manifest& manifest, Results& results,
                        const std::string& way_out, Log& log) {
  if (!fs::exists(file)) make_empty(file, manifest, results);
  if (fs::is_directory(file)) {
    throw BadInput(
        fmt::format("{}: expected a journal of results, it is a folder; move it away, or {}",
                    file.string(), way_out));
  }
  try {
    if (!io::looks_like_row_file(file)) throw CorruptFile(file.string() + ": damaged at its begin");
    const JournalContent content = read_journal(file);
    const std::string other = difference(content.manifest, content.results, manifest, results);
    if (!other.empty()) {
      throw BadInput(fmt::format("{}: is the journal of another job ({} where {} is run): {}; {}",
                                 file.string(), id_of(content.manifest, content.results),
                                 id_of(manifest, results), other, way_out));
    }
    results = content.results;
    if (!content.damaged.empty()) {
      log.warning("{}: {} damaged results will run again", file.string(), content.damaged.size());
    }
  } catch (const CorruptFile& error) {
    mend(file, manifest, results, error.what(), way_out, log);
  }
  return {file, io::RowSnapshot(file).layout()};
}

// What `file` holds comes to `all`, of which `first` is a part.
void add(JournalContent& all, const fs::path& first, const fs::path& file) {
  const JournalContent content = read_journal(file);
  const std::string other =
      difference(content.manifest, content.results, all.manifest, all.results);
  if (!other.empty()) {
    throw BadInput(
        fmt::format("{}: is of another job than {}: {}", file.string(), first.string(), other));
  }
  for (size_t cell = 0; cell < content.results.cells(); ++cell) {
    if (!content.results.has(cell)) continue;
    try {
      all.results.put(cell, content.results.values(cell));
    } catch (const SystemFailure& error) {
      throw SystemFailure(fmt::format("{}: {}", file.string(), error.what()));
    }
  }
  all.damaged.insert(all.damaged.end(), content.damaged.begin(), content.damaged.end());
}

}  // namespace

fs::path lock_of(const fs::path& journal) {
  return journal.string() + ".lock";
}

void write_journal(const fs::path& file, const Manifest& manifest, const Results& results) {
  AtomicFile target(file);
  make_empty(target.temporary(), manifest, results);
  io::RowWriter rows(target.temporary(), io::RowSnapshot(target.temporary()).layout());
  for (size_t cell = 0; cell < results.cells(); ++cell) {
    if (results.has(cell)) rows.write(static_cast<int64_t>(cell), results.values(cell));
  }
  target.commit();
}

JournalContent read_journal(const fs::path& file) {
  if (fs::is_directory(file)) {
    throw BadInput(file.string() + ": is a folder; name a journal, such as those in RUN/journal");
  }
  const io::RowSnapshot rows(file);
  const io::Hdf5File hdf5 = io::Hdf5File::open_read(file);
  if (!hdf5.has_attribute("/", "format") || hdf5.attribute_text("/", "format") != kFormat) {
    throw BadInput(file.string() + ": is no journal of results");
  }
  if (const int64_t version = hdf5.attribute_int("/", "format_version"); version > kVersion) {
    throw BadInput(fmt::format("{}: has format version {}, this program reads up to {}",
                               file.string(), version, kVersion));
  }
  JournalContent content{
      .manifest = {hdf5.read_text("manifest/name"), hdf5.read_text("manifest/content")},
      .results = Results(hdf5.read_texts("keys"), hdf5.read_texts("columns"))};
  const Results& results = content.results;
  if (static_cast<int64_t>(results.cells()) != rows.layout().rows ||
      std::ssize(results.columns()) != rows.layout().columns) {
    throw CorruptFile(file.string() + ": keys and columns do not fit its values");
  }
  content.damaged = take_rows(rows, content.results);
  return content;
}

JournalContent merge_journals(const fs::path& target, const std::vector<fs::path>& journals) {
  OL_ASSERT(!journals.empty(), "nothing to merge");
  JournalContent all = read_journal(journals.front());
  for (const fs::path& file : std::span(journals).subspan(1)) add(all, journals.front(), file);
  if (fs::exists(target)) read_journal(target);  // no lock beside what is no journal
  const FileLock lock = locked(target, "choose another file");
  if (fs::exists(target)) add(all, journals.front(), target);
  std::ranges::sort(all.damaged);
  all.damaged.erase(std::ranges::unique(all.damaged).begin(), all.damaged.end());
  std::erase_if(all.damaged, [&](size_t cell) { return all.results.has(cell); });
  write_journal(target, all.manifest, all.results);
  return all;
}

JournalFile::JournalFile(const fs::path& file, const Manifest& manifest, Results& results,
                         const std::string& way_out, Log& log)
    : lock_(locked(file, way_out)), rows_(open_rows(file, manifest, results, way_out, log)) {}

void JournalFile::write(size_t cell, std::span<const double> values) {
  rows_.write(static_cast<int64_t>(cell), values);
  unsynced_ = true;
}

void JournalFile::sync() {
  if (unsynced_.exchange(false)) rows_.sync();
}

}  // namespace outerloop::farm
