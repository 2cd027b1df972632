#include "data/file_tree.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLargestFile = 256ULL << 20;

void check_file_size(uint64_t bytes, const std::string& name) {
  if (bytes > kLargestFile) {
    throw BadInput(fmt::format("{}: {} bytes is too large for an image", name, bytes));
  }
}

bool is_hidden(const std::string& name) {
  return name.starts_with('.') || name.find("/.") != std::string::npos ||
         name.starts_with("__MACOSX/");
}

// The links to folders that lead to a place, to refuse one that leads back.
class FollowedLinks {
 public:
  // At a folder. Throws BadInput when it is a link to one which it lies in.
  void arrive(const fs::directory_entry& entry, int depth) {
    std::erase_if(from_, [&](const auto& link) { return link.depth >= depth; });
    if (!entry.is_symlink()) return;
    from_.push_back({depth, fs::canonical(entry.path().parent_path())});
    const fs::path target = fs::canonical(entry.path());
    for (const auto& [at, folder] : from_) {
      if (std::ranges::mismatch(target, folder).in1 != target.end()) continue;
      throw BadInput(fmt::format("{}: a link to a folder which it lies in, {}; take it away",
                                 entry.path().string(), target.string()));
    }
  }

 private:
  struct Link {
    int depth;
    fs::path folder;  // that holds the link
  };
  std::vector<Link> from_;
};

class Folder final : public FileTree {
 public:
  explicit Folder(fs::path root) : root_(std::move(root)) {}

  std::vector<std::string> names() const override { return entries(fs::file_type::regular); }
  std::vector<std::string> folders() const override { return entries(fs::file_type::directory); }

  std::vector<std::byte> read(const std::string& name) const override {
    const fs::path file = root_ / name;
    std::error_code error;
    const uint64_t size = fs::file_size(file, error);
    if (!error) check_file_size(size, file.string());
    const std::string content = read_file(file);
    std::vector<std::byte> bytes(content.size());
    std::memcpy(bytes.data(), content.data(), content.size());
    return bytes;
  }

  bool is_archive() const override { return false; }

 private:
  std::vector<std::string> entries(fs::file_type type) const {
    std::vector<std::string> result;
    std::error_code error;
    constexpr auto kFollow = fs::directory_options::follow_directory_symlink;
    FollowedLinks links;
    for (fs::recursive_directory_iterator it(root_, kFollow, error), end; it != end;
         it.increment(error)) {
      if (error) break;
      std::string name = it->path().lexically_relative(root_).generic_string();
      std::error_code no_target;
      const fs::file_type found = it->status(no_target).type();
      if (is_hidden(name) || found != fs::file_type::directory) {
        it.disable_recursion_pending();
      } else {
        links.arrive(*it, it.depth());
      }
      if (found == type && !is_hidden(name)) result.push_back(std::move(name));
    }
    if (error) {
      throw SystemFailure(fmt::format("{}: cannot be listed: {}", root_.string(), error.message()));
    }
    std::ranges::sort(result);
    return result;
  }

  fs::path root_;
};

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};

class Archive final : public FileTree {
 public:
  explicit Archive(const fs::path& path) : path_(path.string()) {
    int code = 0;
    archive_.reset(zip_open(path_.c_str(), ZIP_RDONLY, &code));
    if (archive_ == nullptr) {
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const std::string reason = zip_error_strerror(&error);
      zip_error_fini(&error);
      throw BadInput(fmt::format("{}: neither a folder nor a zip archive: {}", path_, reason));
    }
    const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < count; ++i) {
      const char* name = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
      if (name == nullptr) continue;
      std::string entry = name;
      while (entry.starts_with("./")) entry.erase(0, 2);  // as some programs store them
      if (entry.empty() || is_hidden(entry)) continue;
      add_folders(entry);
      if (entry.ends_with('/')) continue;
      entries_.emplace(std::move(entry), static_cast<zip_uint64_t>(i));
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> result;
    for (const auto& [name, index] : entries_) result.push_back(name);
    return result;
  }

  std::vector<std::string> folders() const override { return {folders_.begin(), folders_.end()}; }

  std::vector<std::byte> read(const std::string& name) const override {
    const auto found = entries_.find(name);
    OL_ASSERT(found != entries_.end(), name);
    const std::string where = path_ + ":" + name;
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(archive_.get(), found->second, 0, &stat) != 0) fail(where);
    check_file_size(stat.size, where);
    const std::unique_ptr<zip_file_t, CloseEntry> entry(
        zip_fopen_index(archive_.get(), found->second, 0));
    if (entry == nullptr) fail(where);
    std::vector<std::byte> bytes(stat.size);
    // One byte more than there should be, so that the end is reached and the checksum looked at.
    std::byte beyond{};
    const zip_int64_t got = zip_fread(entry.get(), bytes.data(), bytes.size());
    if (got != static_cast<zip_int64_t>(bytes.size()) || zip_fread(entry.get(), &beyond, 1) != 0) {
      throw BadInput(fmt::format("{}: damaged in the archive: {}", where,
                                 zip_error_strerror(zip_file_get_error(entry.get()))));
    }
    return bytes;
  }

  bool is_archive() const override { return true; }

 private:
  // Archives need not name the folders around their files.
  void add_folders(std::string_view name) {
    for (size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
      folders_.emplace(name.substr(0, slash));
    }
  }

  [[noreturn]] void fail(const std::string& where) const {
    throw BadInput(fmt::format("{}: cannot be read: {}", where, zip_strerror(archive_.get())));
  }

  std::string path_;
  std::unique_ptr<zip_t, CloseArchive> archive_;
  std::map<std::string, zip_uint64_t> entries_;
  std::set<std::string> folders_;
};

}  // namespace

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

std::string outer_folder(std::span<const std::string> paths) {
  const size_t slash = paths.empty() ? std::string::npos : paths.front().find('/');
  if (slash == std::string::npos) return "";
  const std::string outer = paths.front().substr(0, slash + 1);
  const auto within = [&](const std::string& path) {
    return path.starts_with(outer) && path.size() > outer.size();
  };
  return std::ranges::all_of(paths, within) ? outer.substr(0, slash) : "";
}

std::unique_ptr<FileTree> open_file_tree(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    throw BadInput(fmt::format("{}: no such folder or zip archive", path.string()));
  }
  if (fs::is_directory(status)) return std::make_unique<Folder>(path);
  return std::make_unique<Archive>(path);
}

}  // namespace outerloop::data
