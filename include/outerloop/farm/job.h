#pragma once
// What the farm runs: many small pieces of work that do not depend on each other.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace outerloop::farm {

// One piece of work. Its key says what it is ("task=17") and is the job's own.
struct Cell {
  std::string key;
  double cost = 1;  // expected, in any unit: decides how many go out at a time, and the ETA
};

// What the results depend on. Everything must be in it: another content is another job.
struct Manifest {
  std::string name;     // "importance"
  std::string content;  // text, such as JSON: hashes of model and data, config, seed
  bool operator==(const Manifest&) const = default;
};

// Thrown by a cell that gave up because a stop was requested: it counts as not begun.
class Stopped {};

// Every rank makes one of its own, from the same input: cells(), columns() and manifest() are equal
// on all ranks and never change.
class Job {
 public:
  virtual ~Job() = default;

  virtual const Manifest& manifest() const = 0;
  // In the order in which results are folded; all keys differ. Earlier ones begin earlier.
  virtual const std::vector<Cell>& cells() const = 0;
  // Names of a cell's values.
  virtual const std::vector<std::string>& columns() const = 0;

  // Fills `values` (one for each column) for the cell with this index. The same bits wherever,
  // whenever and however often it runs. Threads 0 … size of the pool - 1 call it at the same time,
  // each for other cells. What it throws ends the run on all ranks; finished cells are kept.
  virtual void run(size_t cell, int thread, std::span<double> values) = 0;
};

// SHA-256 of manifest, columns and keys: journals of equal identity hold the same results.
std::string identity(const Job& job);

}  // namespace outerloop::farm
