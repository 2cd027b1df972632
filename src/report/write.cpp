#include "outerloop/base/atomic_file.h"
#include "outerloop/report/report.h"
#include "outerloop/train/run_folder.h"
#include "report/gather.h"
#include "report/page.h"

namespace outerloop::report {

std::filesystem::path write(const std::filesystem::path& run) {
  const std::filesystem::path file = train::RunFolder{run}.report();
  write(run, file);
  return file;
}

void write(const std::filesystem::path& run, const std::filesystem::path& file) {
  write_file_atomically(file, page(gather(run)));
}

}  // namespace outerloop::report
