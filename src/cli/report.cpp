// outerloop report: writes the report of a run, finished or not.

#include "outerloop/report/report.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/output_file.h"
#include "cli/program.h"
#include "outerloop/train/run_folder.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

struct ReportArguments {
  std::string run;
  std::string out;
};

int run(const ReportArguments& options) {
  const train::RunFolder folder{options.run};
  train::require_run(folder);
  const fs::path file = options.out.empty() ? folder.report() : fs::path(options.out);
  const auto clean = [](const fs::path& path) { return fs::absolute(path).lexically_normal(); };
  if (clean(file) == clean(folder.report())) {
    require_writable(file, "name a file elsewhere with --out");
  } else {
    require_place_for(file, with_dataset(options.run));
  }
  report::write(options.run, file);
  fmt::print("{}\n", file.string());
  return kDone;
}

}  // namespace

void add_report(Program& program) {
  auto options = std::make_shared<ReportArguments>();
  Command command = program.app.add_subcommand("report", "Write RUN/report.html, one file");
  command.add_option("RUN", options->run, "Run folder").required();
  command.add_option("--out", options->out, "File to write in place of RUN/report.html");
  command.callback([&program, options] { program.action = [options] { return run(*options); }; });
}

}  // namespace outerloop::cli
