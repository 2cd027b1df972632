#pragma once
// Layouts of reference files: one file each, one line of the table in layouts.cpp each. A layout is
// told by the structure of a file, and everything else (sizes, hyper-parameters) is read from it.

#include <span>
#include <string>
#include <string_view>

#include "outerloop/io/hdf5.h"
#include "reference/plan_runner.h"
#include "reference/report.h"

namespace outerloop::reference {

struct Context {
  const io::Hdf5File& file;
  DType dtype;            // f32 or f64: what is computed in
  ProgramRunner& runner;  // what computes
  Report& report;

  // A stored array in the element type of the computation.
  Tensor input(std::string_view name) const { return file.read(name).cast(dtype); }
  // Labels and indices are stored as floating numbers.
  Tensor labels(std::string_view name) const { return file.read(name).cast(DType::i32); }
  std::vector<double> expected(std::string_view name) const { return file.read(name).to_doubles(); }
  double scalar(std::string_view name) const { return file.read(name).to_doubles().at(0); }
  double tolerance(double f32, double f64) const { return dtype == DType::f32 ? f32 : f64; }
};

struct Layout {
  std::string_view name;
  bool (*matches)(const io::Hdf5File& file);
  // Adds every quantity that the file stores to the report.
  void (*check)(Context& context);
};

std::span<const Layout> layouts();
// Throws BadInput when the file has none of the known layouts.
const Layout& layout_of(const io::Hdf5File& file);

}  // namespace outerloop::reference
