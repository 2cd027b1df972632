#pragma once
// Sweeps: many trainings that differ in some keys of one config.
//
// SPEC, a YAML file:
//   config: base.yaml                        # from the spec's folder
//   set: {outer.iterations: 500}             # keys that all points share
//   grid:                                    # every combination
//     inner.rate: {from: 1e-3, to: 1, points: 4, scale: log}
//     inner.steps: [1, 5]
//   list: [{inner.rate: 0.3, inner.steps: 2}]          # and these
//   random:                                  # and so many draws
//     points: 20
//     seed: 0
//     keys: {inner.rate: {from: 1e-3, to: 1, scale: log}, model.activation: [relu, tanh]}
//   leave_out: [{inner.steps: 5, inner.rate: {from: 0.5, to: 1}}]   # where all of these hold
//   seeds: 3                                 # each of the above with so many seeds, or a list
//
// Data sets are looked up as the base config's is: from its folder. At most 100,000 points.
//
// A point goes without the keys that its others leave without effect, such as inner.rate where
// learner.algorithm is protonet; of points that then are equal there is one.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "outerloop/train/run_folder.h"

namespace outerloop::sweep {

struct Override {
  std::string key;
  std::string value;  // as in a key=value word, in its canonical form
  bool operator==(const Override&) const = default;
};

struct Point {
  int64_t number = 0;
  std::vector<Override> overrides;  // of the base config; the seed last
  std::string hash;                 // of the resolved config: config::config_hash
};

struct Plan {
  std::string base;  // the resolved base config, YAML
  std::vector<Point> points;
};

// The folder of a sweep: base.yaml, sweep.jsonl (the points), points/<hash> (one run each),
// state/<hash>.{lock,err,failed.json}, report.html, report.csv, report.json.
struct SweepFolder {
  std::filesystem::path root;

  std::filesystem::path base() const { return root / "base.yaml"; }
  std::filesystem::path manifest() const { return root / "sweep.jsonl"; }
  std::filesystem::path points() const { return root / "points"; }
  std::filesystem::path state() const { return root / "state"; }
  train::RunFolder run(const Point& point) const { return {points() / point.hash}; }
  // Locked by whoever trains the point.
  std::filesystem::path lease(const Point& point) const { return state() / (point.hash + ".lock"); }
  // What the training said on standard error.
  std::filesystem::path errors(const Point& point) const { return state() / (point.hash + ".err"); }
  std::filesystem::path failure(const Point& point) const {
    return state() / (point.hash + ".failed.json");
  }
  std::filesystem::path report(const char* extension) const {
    return root / (std::string("report.") + extension);
  }
};

// The points of a spec, for a sweep in `folder`. Points of equal configs are one. A pure function
// of the files' content and of where the data sets that they name are found. Throws
// config::ConfigErrors with all that is wrong.
Plan read_spec(const std::filesystem::path& spec, const SweepFolder& folder);

// Whether the folder changed: the same plan again leaves it as it is. Throws BadInput when points
// of another plan have begun there, or when it holds something else than a sweep.
bool write_plan(const Plan& plan, const SweepFolder& folder);

// What write_plan wrote. Throws BadInput when there is none or it is damaged.
Plan read_plan(const SweepFolder& folder);

}  // namespace outerloop::sweep
