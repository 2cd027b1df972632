#include "meta/small_file.h"

#include "reference/layout.h"

namespace outerloop::reference {

std::vector<Task> SmallFile::draw_tasks(const std::string& group, int64_t count, int64_t support,
                                        int64_t query, const Extents& example, int64_t ways) {
  size_t features = 1;
  for (const int64_t extent : example) features *= static_cast<size_t>(extent);
  std::vector<Task> tasks(static_cast<size_t>(count));
  const auto draw_set = [&](const std::string& letter, int64_t rows, auto inputs, auto answers) {
    std::vector<double> all_x;
    std::vector<double> all_y;
    for (Task& task : tasks) {
      for (int64_t i = 0; i < rows; ++i) {
        const auto x = numbers(features, -2, 2);
        const double y = ways > 0 ? static_cast<double>((i * 2 + 1) % ways) : number(-1, 1);
        (task.*inputs).push_back(x);
        (task.*answers).push_back({y});
        all_x.insert(all_x.end(), x.begin(), x.end());
        all_y.push_back(y);
      }
    }
    Extents x_shape = {count, rows};
    x_shape.insert(x_shape.end(), example.begin(), example.end());
    write(group + "/x" + letter, x_shape, all_x);
    write(group + "/y" + letter, ways > 0 ? Extents{count, rows} : Extents{count, rows, 1}, all_y);
  };
  draw_set("s", support, &Task::xs, &Task::ys);
  draw_set("q", query, &Task::xq, &Task::yq);
  return tasks;
}

void SmallFile::check(size_t quantities) {
  file_.close();
  const StoredFile file(folder_ / "small.h5");
  for (const DType dtype : {DType::f64, DType::f32}) {
    ProgramRunner runner(compiled());
    Report report;
    Context context{file, dtype, runner, report};
    layout_of(file).check(context);
    report.set_unread(file.unread());
    EXPECT_EQ(report.unchecked(), std::vector<std::string>());
    EXPECT_EQ(report.quantities().size(), quantities);
    for (const Quantity& quantity : report.quantities()) {
      EXPECT_LE(quantity.error, quantity.tolerance) << quantity.name << " in " << name_of(dtype);
    }
  }
}

}  // namespace outerloop::reference
