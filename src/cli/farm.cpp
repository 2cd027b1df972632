// outerloop farm: what journals hold, while they are written and afterwards.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/program.h"
#include "outerloop/base/error.h"
#include "outerloop/farm/journal.h"
#include "outerloop/farm/status.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

int merge(const fs::path& target, const std::vector<fs::path>& journals) {
  const farm::JournalContent all = farm::merge_journals(target, journals);
  const farm::Results& results = all.results;
  fmt::print("{}: {} of {} cells done\n", target.string(), results.done(), results.cells());
  if (results.complete()) return kDone;
  for (size_t cell = 0; cell < results.cells(); ++cell) {
    if (results.has(cell)) continue;
    tell(
        fmt::format("cells that are missing: {}, the first is {}; a run of the job with this "
                    "journal goes on from here\n",
                    static_cast<int64_t>(results.cells()) - results.done(), results.keys()[cell]));
    break;
  }
  return kStopped;
}

// Of all that can be read. A failing system is worse than a wrong word.
int status(const std::vector<fs::path>& journals, ColorMode color) {
  int code = kDone;
  for (const fs::path& journal : journals) {
    try {
      fmt::print("{}", farm::describe_status(journal));
    } catch (const Error& error) {
      tell_error(error.what(), color);
      if (code == kDone || exit_code_of(error) == kFailed) code = exit_code_of(error);
    }
  }
  return code;
}

}  // namespace

void add_farm(Program& program) {
  Command farm = program.app.add_subcommand("farm", "Look at journals of jobs; merge shards");
  farm.require_subcommand();

  struct Paths {
    fs::path target;
    std::vector<fs::path> journals;
  };
  auto paths = std::make_shared<Paths>();
  Command merging = farm.add_subcommand(
      "merge", "Join journals of one job; exit 75: some cells are in none of them");
  merging.add_option("OUT", paths->target, "Journal to write, or to add to").required();
  merging.add_option("JOURNAL", paths->journals, "Journals to join").required();
  merging.callback([&program, paths] {
    program.action = [paths] { return merge(paths->target, paths->journals); };
  });

  Command looking = farm.add_subcommand("status", "Show how far journals are");
  looking.add_option("JOURNAL", paths->journals, "Journals, also of jobs that run").required();
  looking.callback([&program, paths] {
    program.action = [&program, paths] { return status(paths->journals, program.color); };
  });
}

}  // namespace outerloop::cli
