#pragma once
// Reference files with sizes of a test's own.

#include <map>
#include <random>
#include <string>
#include <vector>

#include "io/temporary_folder.h"
#include "meta/plain_loops.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::reference {

using plain::Task;
using plain::Values;
using Extents = std::vector<int64_t>;

// A file being written: shapes beside values.
class SmallFile {
 public:
  explicit SmallFile(uint32_t seed) : random_(seed) {}

  double number(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  std::vector<double> numbers(size_t count, double low = -1, double high = 1) {
    std::vector<double> result(count);
    for (double& value : result) value = number(low, high);
    return result;
  }

  void write(const std::string& name, const Extents& shape, const std::vector<double>& values) {
    file_.write(name, Tensor::from<double>(Shape(std::span<const int64_t>(shape)), values));
  }
  void write(const std::string& name, double value) { write(name, {}, {value}); }

  // A parameter drawn and stored in the group.
  void draw(Values& theta, const std::string& group, const std::string& name, const Extents& shape,
            double low, double high) {
    size_t count = 1;
    for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
    shapes_[group + "/" + name] = shape;
    const std::vector<double> values = numbers(count, low, high);
    write(group + "/" + name, shape, values);
    for (const double value : values) theta[name].push_back({value, 0});
  }
  // W1, b1, … between layers of these widths.
  Values draw_mlp(const std::string& group, const Extents& widths) {
    Values theta;
    for (size_t l = 1; l < widths.size(); ++l) {
      draw(theta, group, "W" + std::to_string(l), {widths[l - 1], widths[l]}, -0.9, 0.9);
      draw(theta, group, "b" + std::to_string(l), {widths[l]}, -0.5, 0.5);
    }
    return theta;
  }
  // Arrays shaped like the parameters drawn in the group `like`.
  void write_tree(const std::string& group, const std::string& like,
                  const std::map<std::string, std::vector<double>>& tree) {
    for (const auto& [name, values] : tree) {
      write(group + "/" + name, shapes_.at(like + "/" + name), values);
    }
  }

  // Tasks of `example` inputs; `ways` = 0: regression of one output.
  std::vector<Task> draw_tasks(const std::string& group, int64_t count, int64_t support,
                               int64_t query, const Extents& example, int64_t ways);

  // Every quantity of the file within its tolerance, in both types.
  void check(size_t quantities);

 private:
  std::mt19937 random_;
  TemporaryFolder folder_;
  io::Hdf5File file_ = io::Hdf5File::create(folder_ / "small.h5");
  std::map<std::string, Extents> shapes_;
};

}  // namespace outerloop::reference
