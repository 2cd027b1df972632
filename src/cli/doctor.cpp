// outerloop doctor: is this machine fit to run, and what to do if not.

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "cli/doctor_checks.h"
#include "cli/program.h"
#include "outerloop/base/error.h"

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

int examine(const std::filesystem::path& folder, ColorMode mode) {
  if (!std::filesystem::is_directory(folder)) {
    throw BadInput(fmt::format("{}: no such folder", folder.string()));
  }
  const bool color = detect_terminal(STDOUT_FILENO, mode).color;
  int code = kDone;
  for (const Check& check : doctor_checks()) {
    Finding finding;
    try {
      finding = check.run(folder);
    } catch (const Error& error) {
      finding = {Verdict::bad, error.what(), ""};
    }
    const auto [mark, paint] = style(finding.verdict);
    fmt::print("{}{}{} {:<13} {}\n", color ? paint : "", mark, color ? "\x1b[0m" : "", check.name,
               finding.text);
    if (!finding.fix.empty()) fmt::print("{:18} -> {}\n", "", finding.fix);
    if (finding.verdict == Verdict::bad) code = kFailed;
  }
  return code;
}

}  // namespace

void add_doctor(Program& program) {
  auto folder = std::make_shared<std::string>(".");
  CLI::App* command = program.app.add_subcommand("doctor", "Check this machine; exit 1 if unfit");
  command->add_option("FOLDER", *folder, "Where runs would go")->capture_default_str();
  command->callback([&program, folder] {
    program.action = [&program, folder] { return examine(*folder, program.color); };
  });
}

}  // namespace outerloop::cli
