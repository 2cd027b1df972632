#pragma once
// Checks of the machine, each with what to do about a finding.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace outerloop::cli {

enum class Verdict { good, notice, bad };

struct Finding {
  Verdict verdict = Verdict::good;
  std::string text;
  std::string fix;  // empty when good
};

struct Check {
  std::string_view name;
  // `folder` is where runs would go.
  Finding (*run)(const std::filesystem::path& folder);
};

const std::vector<Check>& doctor_checks();

// How the program was started, and whether it could be on several hosts: doctor_launch.cpp.
Finding check_mpi(const std::filesystem::path& folder);
Finding check_launcher(const std::filesystem::path& folder);
Finding check_binding(const std::filesystem::path& folder);
Finding check_slurm(const std::filesystem::path& folder);

}  // namespace outerloop::cli
