#pragma once
// Layouts of reference files: one file each, one line of the tables in layouts.cpp each. A layout
// is told by the structure of a file, and everything else (sizes, hyper-parameters) is read from
// it. HDF5 files are computed in the element type asked for, JSON files in float64
// and without programs.

#include <span>
#include <string>
#include <string_view>

#include "reference/document.h"
#include "reference/plan_runner.h"
#include "reference/report.h"
#include "reference/stored_file.h"

namespace outerloop::reference {

struct Context {
  const StoredFile& file;
  DType dtype;            // f32 or f64: what is computed in
  ProgramRunner& runner;  // what computes
  Report& report;

  // A stored array in the element type of the computation.
  Tensor input(std::string_view name) const { return file.read(name).cast(dtype); }
  Tensor input(std::string_view name, const Shape& shape) const {
    return file.read(name, shape).cast(dtype);
  }
  // Labels and indices are stored as floating numbers.
  Tensor labels(std::string_view name) const { return file.read(name).cast(DType::i32); }
  std::vector<double> expected(std::string_view name) const { return file.read(name).to_doubles(); }
  std::vector<double> expected(std::string_view name, const Shape& shape) const {
    return file.read(name, shape).to_doubles();
  }
  double scalar(std::string_view name) const { return file.read(name).to_doubles().at(0); }
  double tolerance(double f32, double f64) const { return dtype == DType::f32 ? f32 : f64; }
};

struct Layout {
  std::string_view name;
  bool (*matches)(const StoredFile& file);
  // Adds every quantity that the file stores to the report, and the groups that they are in.
  void (*check)(Context& context);
  bool by_programs = true;  // else no quantity of it goes through the runner
  bool f64_only = false;    // computed in float64 whatever is asked for
};

struct JsonLayout {
  std::string_view name;
  bool (*matches)(const Document& document);
  void (*check)(const Document& document, Report& report);
};

// Throw BadInput when the file has none of the known layouts.
const Layout& layout_of(const StoredFile& file);
const JsonLayout& layout_of(const Document& document);

}  // namespace outerloop::reference
