// outerloop doctor: is this machine fit to run, and what to do if not.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/doctor_checks.h"
#include "cli/program.h"
#include "cli/ranks.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/mpi.h"

namespace outerloop::cli {
namespace {

struct Style {
  std::string_view mark;
  std::string_view color;
};

Style style(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return {"ok  ", "\x1b[32m"};
    case Verdict::notice:
      return {"note", "\x1b[33m"};
    case Verdict::bad:
      break;
  }
  return {"BAD ", "\x1b[31m"};
}

struct Found {
  std::string_view check;
  Finding finding;
};
using Report = std::vector<Found>;

Report report_on(const std::filesystem::path& folder) {
  Report report;
  for (const Check& check : doctor_checks()) {
    try {
      report.push_back({check.name, check.run(folder)});
    } catch (const Error& error) {
      report.push_back({check.name, {Verdict::bad, error.what(), ""}});
    }
  }
  return report;
}

std::string lines_of(const Found& found, bool color) {
  const Finding& finding = found.finding;
  const auto [mark, paint] = style(finding.verdict);
  std::string text = fmt::format("{}{}{} {:<13} {}\n", color ? paint : "", mark,
                                 color ? "\x1b[0m" : "", found.check, finding.text);
  if (!finding.fix.empty()) text += fmt::format("{:18} -> {}\n", "", finding.fix);
  return text;
}

int code_of(const Report& report) {
  const auto bad = [](const Found& found) { return found.finding.verdict == Verdict::bad; };
  return std::ranges::any_of(report, bad) ? kFailed : kDone;
}

void print(const Report& report, ColorMode mode) {
  const bool color = detect_terminal(STDOUT_FILENO, mode).color;
  for (const Found& found : report) fmt::print("{}", lines_of(found, color));
}

// All of it from rank 0; of the others what is not good and was not said yet.
int print_together(comm::Communicator& ranks, const Report& own, ColorMode mode) {
  std::string findings;
  for (const Found& found : own) {
    if (found.finding.verdict != Verdict::good) findings += lines_of(found, false);
  }
  const std::vector<std::string> all = comm::all_gather_strings(ranks, "findings", findings);
  int64_t code = code_of(own);
  ranks.all_reduce("exit code", std::span(&code, 1), comm::Reduction::max);
  if (ranks.rank() > 0) return static_cast<int>(code);
  print(own, mode);
  std::set<std::string> said{"", all[0]};
  for (size_t r = 1; r < all.size(); ++r) {
    if (!said.insert(all[r]).second) continue;
    fmt::print("rank {} on {} finds:\n{}", r, ranks.hosts()[r], all[r]);
  }
  return static_cast<int>(code);
}

void require_folder(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    throw BadInput(fmt::format("{}: no such folder", folder.string()));
  }
}

int examine(const std::filesystem::path& folder, ColorMode mode) {
  // Ranks of another MPI would not find each other.
  const bool together = comm::started_by_mpi() && check_mpi(folder).verdict != Verdict::bad;
  if (!together) {
    require_folder(folder);
    const Report report = report_on(folder);
    print(report, mode);
    return code_of(report);
  }
  const Report own = report_on(folder);  // before MPI starts, which minds commands that are run
  return run_on_ranks(
      [&](comm::Communicator& ranks) {
        comm::fail_together(ranks, "folder", [&] { require_folder(folder); });
        return print_together(ranks, own, mode);
      },
      mode);
}

}  // namespace

void add_doctor(Program& program) {
  auto folder = std::make_shared<std::string>(".");
  Command command = program.app.add_subcommand("doctor", "Check this machine; exit 1 if unfit");
  command.add_option("FOLDER", *folder, "Where runs would go").capture_default_str();
  command.callback([&program, folder] {
    program.action = [&program, folder] { return examine(*folder, program.color); };
  });
}

}  // namespace outerloop::cli
