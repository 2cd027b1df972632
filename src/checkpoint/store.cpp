#include "outerloop/checkpoint/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "ckpt-", kSuffix = ".h5", kTemporary = ".tmp-";
constexpr const char* kLatest = "latest";
constexpr const char* kBest = "best";
constexpr const char* kSuperseded = ".superseded";

// The iteration in "ckpt-000001200.h5"; nothing for other names.
std::optional<int64_t> iteration_of(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return {};
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  int64_t iteration = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), iteration);
  const bool digits = error == std::errc() && end == name.data() + name.size() && iteration >= 0;
  return digits && name.size() >= 9 ? std::optional(iteration) : std::nullopt;
}

}  // namespace

Store::Store(fs::path folder, Retention retention)
    : folder_(std::move(folder)), retention_(retention) {
  OL_ASSERT(retention_.keep_last >= 1, "a store keeps at least its newest checkpoint");
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error)
    throw SystemFailure(fmt::format("{}: cannot create: {}", folder_.string(), error.message()));
  if (::faccessat(AT_FDCWD, folder_.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    throw SystemFailure(
        fmt::format("{}: cannot be written: {}", folder_.string(), std::strerror(errno)));
}

Store Store::open_read(fs::path folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) throw BadInput(folder.string() + ": no such folder");
  Store store;
  store.folder_ = std::move(folder);
  store.writing_ = false;
  return store;
}

bool Store::gives_name(std::string_view name) {
  return iteration_of(name) || name.ends_with(kSuperseded) || name == kLatest || name == kBest;
}

fs::path Store::file_of(int64_t iteration) const {
  return folder_ / fmt::format("{}{:09}{}", kPrefix, iteration, kSuffix);
}

fs::path Store::save(const Checkpoint& checkpoint, bool is_best) {
  OL_ASSERT(writing_, "this store was opened for reading");
  const fs::path target = file_of(checkpoint.iteration);
  const fs::path temporary =
      folder_ / fmt::format("{}{}-{}{}", kTemporary, checkpoint.iteration, ::getpid(), kSuffix);
  std::error_code ignored;
  fs::remove(temporary, ignored);
  AtomicFile atomic(target, temporary);
  write_checkpoint(checkpoint, temporary);
  sync_file(temporary);
  verify_checkpoint(temporary);
  set_aside_later_than(checkpoint.iteration);
  atomic.commit();
  replace_symlink(folder_ / kLatest, target.filename());
  if (is_best) mark_best(checkpoint.iteration);
  remove_old();
  return target;
}

void Store::mark_best(int64_t iteration) {
  const fs::path file = file_of(iteration);
  std::error_code ignored;
  if (!fs::exists(file, ignored)) throw BadInput(file.string() + ": no such checkpoint");
  replace_symlink(folder_ / kBest, file.filename());
}

void Store::keep(fs::path file) {
  kept_.push_back(std::move(file));
}

std::optional<fs::path> Store::best() const {
  std::error_code error;
  const fs::path link = folder_ / kBest;
  const fs::path name = fs::read_symlink(link, error);
  if (!error)
    return fs::exists(folder_ / name, error) ? std::optional(folder_ / name) : std::nullopt;
  if (fs::is_regular_file(link, error)) return link;
  return fs::is_symlink(folder_ / kLatest, error) ? std::nullopt : best_without_links();
}

std::optional<fs::path> Store::best_without_links() const {
  const std::vector<StoredFile> files = list();
  if (files.empty()) return {};
  try {
    const Checkpoint newest = read_checkpoint(files.back().file);
    const auto known = newest.integers.find("best_iteration");
    if (known == newest.integers.end() || known->second < 0) return {};
    const fs::path file = file_of(known->second);
    std::error_code error;
    return fs::exists(file, error) ? std::optional(file) : std::nullopt;
  } catch (const Error&) {
    return {};  // who reads it says what is wrong with it
  }
}

std::vector<StoredFile> Store::list() const {
  std::vector<StoredFile> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& file = entry->path();
    if (const auto iteration = iteration_of(file.filename().string()))
      files.push_back({*iteration, file});
  }
  if (error)
    throw SystemFailure(fmt::format("{}: cannot list: {}", folder_.string(), error.message()));
  std::sort(files.begin(), files.end(),
            [](const StoredFile& a, const StoredFile& b) { return a.iteration < b.iteration; });
  return files;
}

std::optional<Checkpoint> Store::load_newest(const Notice& skipped) {
  if (writing_) remove_stale();
  const std::vector<StoredFile> files = list();
  std::string newest_error;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    try {
      Checkpoint checkpoint = read_checkpoint(file->file);
      resumed_from_ = file->iteration;
      return checkpoint;
    } catch (const NewerFormat&) {
      throw;
    } catch (const Error& error) {
      if (newest_error.empty()) newest_error = error.what();
      if (skipped) skipped(fmt::format("skipped {}", error.what()));
    }
  }
  if (files.empty()) return {};
  throw CorruptFile(
      fmt::format("{}: none of the {} checkpoints can be read, remove them to start over; the "
                  "newest: {}",
                  folder_.string(), files.size(), newest_error));
}

void Store::remove_stale() const {
  std::error_code ignored;
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(folder_, ignored))
    if (entry.path().filename().string().starts_with(kTemporary)) stale.push_back(entry.path());
  for (const fs::path& file : stale) fs::remove(file, ignored);
}

int64_t Store::set_aside_later_than(int64_t iteration) const {
  int64_t count = 0;
  for (const StoredFile& later : list()) {
    if (later.iteration <= iteration) continue;
    fs::path aside = later.file;
    aside += kSuperseded;
    std::error_code error;
    fs::rename(later.file, aside, error);
    if (error)
      throw SystemFailure(fmt::format("{}: cannot rename to {}: {}", later.file.string(),
                                      aside.filename().string(), error.message()));
    ++count;
  }
  return count;
}

void Store::remove_old() const {
  const std::vector<StoredFile> files = list();
  const std::optional<fs::path> best_file = retention_.keep_best ? best() : std::nullopt;
  const auto keep_last = static_cast<size_t>(retention_.keep_last);
  for (size_t i = 0; i + keep_last < files.size(); ++i) {
    const auto& [iteration, file] = files[i];
    if (retention_.keeps_for_good(iteration)) continue;
    // An old file that stays does no harm; the new one is safe already.
    std::error_code ignored;
    const auto is_this = [&](const fs::path& kept) { return fs::equivalent(file, kept, ignored); };
    if (iteration == resumed_from_ || file == best_file || std::ranges::any_of(kept_, is_this))
      continue;
    fs::remove(file, ignored);
  }
}

}  // namespace outerloop::checkpoint
