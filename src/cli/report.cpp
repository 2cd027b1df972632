// outerloop report: writes the report of a run, finished or not.

#include "outerloop/report/report.h"

#include <fmt/format.h>

#include "cli/program.h"

namespace outerloop::cli {

void add_report(Program& program) {
  auto run = std::make_shared<std::string>();
  Command command = program.app.add_subcommand("report", "Write RUN/report.html, one file");
  command.add_option("RUN", *run, "Run folder").required();
  command.callback([&program, run] {
    program.action = [run] {
      fmt::print("{}\n", report::write(*run).string());
      return kDone;
    };
  });
}

}  // namespace outerloop::cli
