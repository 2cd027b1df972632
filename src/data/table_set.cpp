#include "outerloop/data/table_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "data/content.h"
#include "data/table_encoding.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

// A row with a target.
struct Row {
  size_t place = 0;  // in the file
  int64_t task = 0;
  int64_t group = 0;  // its class, or 0
};

class Loader {
 public:
  Loader(const std::filesystem::path& file, const TableColumns& columns)
      : table_(RawTable::read(file)),
        columns_(columns),
        task_(table_.column(columns.task, "tasks.table.task")),
        split_(table_.column(columns.split, "tasks.table.split")),
        target_(table_.column(columns.target, "tasks.table.target")) {
    set_.name = file.filename().string();
    set_.name = set_.name.substr(0, set_.name.find('.'));
  }

  TableSet run(const TablePreparation* known) {
    find_rows();
    if (training_rows_.empty() && known == nullptr) {
      throw BadInput(fmt::format("{}: no rows of the split train with a target in column {}",
                                 set_.name, columns_.split));
    }
    set_.preparation =
        known != nullptr ? *known : fit_preparation(table_, columns_, training_rows_);
    if (columns_.classification) find_classes();
    encode();
    return std::move(set_);
  }

 private:
  void find_rows() {
    std::map<std::string, int64_t> tasks;
    std::vector<Split> split_of;
    for (size_t row = 0; row < table_.rows(); ++row) {
      const std::string name = table_.text(task_, row);
      if (name.empty()) throw BadInput(table_.place(task_, row) + ": the task is missing");
      const Split split = split_in(row);
      const auto [found, is_new] = tasks.emplace(name, set_.tasks());
      const int64_t task = found->second;
      if (is_new) {
        set_.task_names.push_back(name);
        split_of.push_back(split);
        set_.splits[static_cast<size_t>(split)].push_back(static_cast<int32_t>(task));
      }
      if (split_of[static_cast<size_t>(task)] != split) {
        throw BadInput(fmt::format("{}: task '{}' is in {} here and in {} before",
                                   table_.place(split_, row), name, name_of(split),
                                   name_of(split_of[static_cast<size_t>(task)])));
      }
      if (table_.text(target_, row).empty()) {
        ++set_.rows_left_out;
        continue;
      }
      rows_.push_back({.place = row, .task = task});
      if (split == Split::train) training_rows_.push_back(row);
    }
  }

  Split split_in(size_t row) const {
    const std::string name = table_.text(split_, row);
    if (const auto split = split_named(name)) return *split;
    throw BadInput(fmt::format("{}: expected train, validation (or val) or test, got '{}'",
                               table_.place(split_, row), name));
  }

  void find_classes() {
    const std::vector<std::string>& classes = set_.preparation.classes;
    for (Row& row : rows_) {
      const std::string name = table_.text(target_, row.place);
      const auto found = std::ranges::find(classes, name);
      if (found == classes.end()) {
        throw BadInput(fmt::format("{}: class '{}' is in no training row",
                                   table_.place(target_, row.place), name));
      }
      row.group = found - classes.begin();
    }
  }

  void encode() {
    const int64_t groups = set_.groups();
    const auto place = [groups](const Row& row) { return row.task * groups + row.group; };
    std::ranges::stable_sort(rows_, {}, place);
    set_.begin.assign(static_cast<size_t>(set_.tasks() * groups + 1), 0);
    const RowEncoder encoder(table_, set_.preparation);
    const TablePreparation& p = set_.preparation;
    for (const Row& row : rows_) {
      ++set_.begin[static_cast<size_t>(place(row) + 1)];
      encoder.append(row.place, set_.x);
      if (columns_.classification) continue;
      const double value = *table_.number(target_, row.place);
      set_.y.push_back(static_cast<float>((value - p.target_mean) / p.target_scale));
    }
    std::partial_sum(set_.begin.begin(), set_.begin.end(), set_.begin.begin());
  }

  RawTable table_;
  const TableColumns& columns_;
  size_t task_, split_, target_;
  TableSet set_;
  std::vector<Row> rows_;
  std::vector<size_t> training_rows_;
};

}  // namespace

int64_t TableSet::groups() const {
  return std::max<int64_t>(1, static_cast<int64_t>(preparation.classes.size()));
}

int64_t TableSet::rows_of(int64_t task, int64_t group) const {
  const auto at = static_cast<size_t>(task * groups() + group);
  return begin[at + 1] - begin[at];
}

TableSet load_table_set(const std::filesystem::path& file, const TableColumns& columns,
                        const TablePreparation* known) {
  return Loader(file, columns).run(known);
}

std::string fingerprint(const TableSet& set) {
  Content content;
  content.text(to_text(set.preparation));
  content.texts(set.task_names);
  content.numbers(set.begin);
  for (const std::vector<int32_t>& tasks : set.splits) content.numbers(tasks);
  content.array(set.x);
  content.array(set.y);
  return content.hash();
}

}  // namespace outerloop::data
