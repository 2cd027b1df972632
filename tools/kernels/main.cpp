// kernel_pack FILE: the kernels of the trainings that stdin names, one a line as `CONFIG
// key=value…`, go into FILE. Trainings whose data are not here are named and left out. Exit code 77
// where there is no NVRTC.

#include <fmt/format.h>

#include <iostream>
#include <map>
#include <sstream>

#include "exec/cuda/nvrtc.h"
#include "kernels/collect.h"
#include "kernels/make_pack.h"
#include "outerloop/base/error.h"

namespace outerloop::kernels {
namespace {

constexpr int kNoCompiler = 77;

// Config, and why it has no data.
using LeftOut = std::map<std::string, std::string>;

void add(const std::string& line, const std::shared_ptr<Recorder>& recorder, LeftOut& left_out) {
  std::istringstream in(line);
  std::string file;
  in >> file;
  const std::vector<std::string> words(std::istream_iterator<std::string>(in), {});
  const std::string missing = add_training(config::read_config(file, words), line, recorder);
  if (!missing.empty()) left_out[file] = missing.substr(0, missing.find(';'));
}

int run(const std::filesystem::path& file) {
  try {
    const exec::cuda::Nvrtc here;
  } catch (const BadInput& missing) {
    std::cerr << missing.what() << "\n";
    return kNoCompiler;
  }
  const auto recorder = std::make_shared<Recorder>();
  LeftOut left_out;
  for (std::string line; std::getline(std::cin, line);) add(line, recorder, left_out);
  for (const auto& [config, why] : left_out) {
    std::cerr << fmt::format("kernels: without {}: {}\n", config, why);
  }
  const PackReport report = make_pack(file, recorder->kernels());
  std::cerr << fmt::format("kernels: {} in {}, {} of them compiled now, {:.1f} MiB\n",
                           report.kernels, file.string(), report.compiled,
                           static_cast<double>(std::filesystem::file_size(file)) / (1 << 20));
  return 0;
}

}  // namespace
}  // namespace outerloop::kernels

int main(int argc, char** argv) {
  using namespace outerloop;
  if (argc != 2) {
    std::cerr << "kernel_pack: expected the file to write, and trainings on stdin\n";
    return 2;
  }
  try {
    return kernels::run(argv[1]);
  } catch (const BadInput& error) {
    std::cerr << "kernel_pack: " << error.what() << "\n";
    return 2;
  } catch (const Error& error) {
    std::cerr << "kernel_pack: " << error.what() << "\n";
    return 1;
  }
}
