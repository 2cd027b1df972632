#pragma once
// A folder or a zip archive, seen as the same thing: names and contents.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace outerloop::data {

class FileTree {
 public:
  virtual ~FileTree() = default;
  // Files at any depth, '/' between parts, in order of bytes. Hidden files and folders (and the
  // __MACOSX folder of archives) are left out.
  virtual std::vector<std::string> names() const = 0;
  // Folders at any depth, empty ones too, in the same way.
  virtual std::vector<std::string> folders() const = 0;
  // Throws BadInput when it is damaged or larger than 256 MiB.
  virtual std::vector<std::byte> read(const std::string& name) const = 0;
  virtual bool is_archive() const = 0;
};

// ASCII letters alone: for comparing the ends of file names.
std::string lower_case(std::string text);

// The folder around all of these paths, "" where there is none or where one ends right in it.
std::string outer_folder(std::span<const std::string> paths);

// Throws BadInput when it is neither a folder nor a zip archive.
std::unique_ptr<FileTree> open_file_tree(const std::filesystem::path& path);

}  // namespace outerloop::data
