// check_reference FILE.h5|FILE.json [--dtype f64|f32] [--engine compiled|oracle]
//                 [--device cpu|cuda] [--json]
//
// Recomputes every quantity stored in a reference file from the inputs stored in it; with --device
// cuda the programs run on the first GPU. What the layout has no rule for is named. Exit code 0:
// all within their tolerances; 1: some are not, or a group that is checked holds something without
// a rule; 2: bad usage or file, or no GPU.

#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string_view>

#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"
#include "reference/layout.h"

namespace {

using namespace outerloop;
using namespace outerloop::reference;

constexpr const char* kUsage =
    "usage: check_reference FILE.h5|FILE.json [--dtype f64|f32] [--engine compiled|oracle] "
    "[--device cpu|cuda] [--json]\n"
    "  --engine oracle runs on the cpu alone\n";

struct Options {
  std::string file;
  DType dtype = DType::f64;
  bool oracle = false;
  bool gpu = false;
  bool json = false;
};

std::optional<Options> parse(std::span<char*> arguments) {
  Options options;
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    const std::string_view value = i + 1 < arguments.size() ? arguments[i + 1] : "";
    if (word == "--json") {
      options.json = true;
    } else if (word == "--dtype" && (value == "f64" || value == "f32")) {
      options.dtype = value == "f64" ? DType::f64 : DType::f32;
      ++i;
    } else if (word == "--engine" && (value == "compiled" || value == "oracle")) {
      options.oracle = value == "oracle";
      ++i;
    } else if (word == "--device" && (value == "cpu" || value == "cuda")) {
      options.gpu = value == "cuda";
      ++i;
    } else if (!word.starts_with("-") && options.file.empty()) {
      options.file = word;
    } else {
      return std::nullopt;
    }
  }
  if (options.file.empty() || (options.oracle && options.gpu)) return std::nullopt;
  return options;
}

Engine engine_of(const Options& options) {
  if (options.gpu) return on_device(exec::cuda::open_device(0));
  return options.oracle ? oracle() : compiled();
}

struct Checked {
  std::string_view layout;
  DType dtype = DType::f64;
  Report report;
};

Checked check_hdf5(const Options& options, const Engine& engine) {
  const StoredFile file(options.file);
  const Layout& layout = layout_of(file);
  Checked checked{layout.name, layout.f64_only ? DType::f64 : options.dtype,
                  Report(layout.by_programs)};
  ProgramRunner runner(engine);
  Context context{file, checked.dtype, runner, checked.report};
  layout.check(context);
  checked.report.set_unread(file.unread());
  return checked;
}

Checked check_json(const Options& options) {
  const JsonDocument document(options.file);
  const JsonLayout& layout = layout_of(document);
  Checked checked{layout.name, DType::f64, Report(false)};
  layout.check(document, checked.report);
  checked.report.set_unread(document.unread());
  return checked;
}

int check(const Options& options) {
  const Engine engine = engine_of(options);
  const auto [layout, dtype, report] =
      options.file.ends_with(".json") ? check_json(options) : check_hdf5(options, engine);
  if (report.quantities().empty()) {
    throw BadInput(fmt::format("{}: stores no quantity to check", options.file));
  }
  fmt::print(
      "{}", options.json ? as_json(report, options.file, layout, name_of(dtype)) : as_text(report));
  return report.passes() ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const auto options = parse({arguments, static_cast<size_t>(count)});
    if (!options) {
      fmt::print(stderr, "{}", kUsage);
      return 2;
    }
    return check(*options);
  } catch (const BadInput& error) {
    fmt::print(stderr, "check_reference: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "check_reference: {}\n", error.what());
    return 1;
  }
}
