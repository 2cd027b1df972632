#pragma once
// Runs that several tests look at, trained when the first asks, and their files.

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "train/tiny_runs.h"

namespace outerloop::cli {

inline const std::filesystem::path& sine_run() {
  static const std::filesystem::path run = train::train_tiny("sine", train::kTinySine);
  return run;
}
inline const std::filesystem::path& image_run() {
  static const std::filesystem::path run = train::train_tiny("images", train::kTinyImages);
  return run;
}

inline const std::filesystem::path& table_run() {
  static const std::filesystem::path run = train::train_tiny("table", train::kTinyTable);
  return run;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline std::vector<std::vector<std::string>> table(const std::filesystem::path& file) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    auto& row = rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) row.push_back(field);
  }
  return rows;
}

}  // namespace outerloop::cli
