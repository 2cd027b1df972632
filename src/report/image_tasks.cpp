#include "report/image_tasks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "outerloop/base/counted.h"
#include "outerloop/train/evaluation.h"

namespace outerloop::report {
namespace {

constexpr size_t kMostColumns = 10;  // classes of a table

// Each image once, as a CSS class that tables refer to.
class ImageSheet {
 public:
  std::string add(const data::Image& image, const std::string& about) {
    const std::string name = fmt::format("i{}", count_++);
    rules_ += fmt::format(".{}{{background-image:url(data:image/png;base64,{})}}\n", name,
                          base64(data::encode_png(image)));
    return fmt::format("<span class=\"image {}\" role=\"img\" aria-label=\"{}\"></span>", name,
                       escape(about));
  }
  std::string style() const { return "<style>\n" + rules_ + "</style>\n"; }

 private:
  int count_ = 0;
  std::string rules_;
};

// The classes that a table has columns for: those of the queries, then others, in label order.
std::vector<size_t> columns_of(const ImageTask& task) {
  std::vector<size_t> columns;
  for (const ImageQuery& query : task.queries) {
    if (std::ranges::find(columns, query.truth) == columns.end()) columns.push_back(query.truth);
  }
  for (size_t c = 0; c < task.class_names.size(); ++c) {
    if (std::ranges::find(columns, c) == columns.end()) columns.push_back(c);
  }
  columns.resize(std::min(columns.size(), kMostColumns));
  std::ranges::sort(columns);
  return columns;
}

std::string cell(double probability, bool is_truth, bool is_answer) {
  const char* mark = !is_answer ? ""
                     : is_truth ? "<b class=\"right\">✓</b>"
                                : "<b class=\"wrong\">✗</b>";
  if (!std::isfinite(probability)) return is_truth ? "<td class=\"p truth\">–</td>" : "<td>–</td>";
  // The darkness of a cell says the same as its number.
  return fmt::format("<td class=\"p{}{}\" style=\"--p:{:.2f}\">{}{:.0f}</td>",
                     is_truth ? " truth" : "", is_answer ? " answer" : "", probability, mark,
                     100 * probability);
}

// One row of probabilities, in percent; classes without a column are summed up in a last one.
std::string answer_cells(const std::vector<float>& probabilities, size_t truth,
                         const std::vector<size_t>& columns) {
  std::string cells;
  double others = 1;
  const std::optional<size_t> chosen = train::answered_class(probabilities);
  bool shown = !chosen;
  for (const size_t c : columns) {
    cells += cell(static_cast<double>(probabilities[c]), c == truth, c == chosen);
    others -= static_cast<double>(probabilities[c]);
    shown = shown || c == chosen;
  }
  if (columns.size() < probabilities.size()) cells += cell(std::max(others, 0.0), false, !shown);
  return cells;
}

struct Drawn {
  std::vector<std::string> support;  // by column: its images
  std::vector<std::string> queries;  // by query
};

Drawn draw_images(const ImageTask& task, const std::vector<size_t>& columns, ImageSheet& sheet) {
  Drawn drawn;
  for (const size_t c : columns) {
    std::string images;
    for (const data::Image& image : task.support[c]) {
      images += sheet.add(image, "support image of " + task.class_names[c]);
    }
    drawn.support.push_back(
        fmt::format("<th title=\"{}\">{}</th>", escape(task.class_names[c]), images));
  }
  for (const ImageQuery& query : task.queries) {
    drawn.queries.push_back(
        sheet.add(query.image, "query image of " + task.class_names[query.truth]));
  }
  return drawn;
}

std::string answer_table(const ImageTask& task, const std::vector<size_t>& columns,
                         const Drawn& drawn, bool after, const std::string& caption) {
  std::string html =
      fmt::format("<table class=\"answers\"><caption>{}</caption>\n<tr><td></td>", caption);
  for (const std::string& images : drawn.support) html += images;
  if (columns.size() < task.class_names.size()) {
    html += fmt::format("<th>{} others</th>", task.class_names.size() - columns.size());
  }
  html += "</tr>\n";
  for (size_t q = 0; q < task.queries.size(); ++q) {
    const ImageQuery& query = task.queries[q];
    html += fmt::format("<tr><th>{}</th>{}</tr>\n", drawn.queries[q],
                        answer_cells(after ? query.after : query.before, query.truth, columns));
  }
  return html + "</table>\n";
}

size_t right_answers(const ImageTask& task, bool after) {
  return static_cast<size_t>(std::ranges::count_if(task.queries, [&](const ImageQuery& query) {
    return train::answered_class(after ? query.after : query.before) == query.truth;
  }));
}

std::string task_card(const ImageTask& task, int64_t steps, size_t number, ImageSheet& sheet) {
  const std::vector<size_t> columns = columns_of(task);
  const Drawn drawn = draw_images(task, columns, sheet);
  const auto caption = [&](const std::string& when, bool after) {
    return fmt::format("{}: {} of {} right", when, right_answers(task, after), task.queries.size());
  };
  std::string tables;
  if (steps == 0) {
    tables = answer_table(task, columns, drawn, false, caption("Answers", false));
  } else {
    const std::string then = "After " + counted(steps, "step");
    tables = answer_table(task, columns, drawn, false, caption("Before adaptation", false)) +
             answer_table(task, columns, drawn, true, caption(then, true));
  }
  std::string names;
  for (const size_t c : columns) {
    names += fmt::format("{}{}", names.empty() ? "" : " · ", escape(task.class_names[c]));
  }
  return card(
      fmt::format("Test task {}", number),
      fmt::format("<div class=\"pair{}\">\n", task.ink_is_high ? " ink" : "") + tables + "</div>\n",
      names);
}

}  // namespace

std::string image_task_cards(const ReportData& data) {
  ImageSheet sheet;
  std::string cards;
  for (size_t i = 0; i < data.image_tasks.size(); ++i) {
    const ImageTask& task = data.image_tasks[i];
    const bool steps = !task.queries.empty() && !task.queries.front().after.empty();
    cards += task_card(task, steps ? data.test_steps : 0, i + 1, sheet);
  }
  return sheet.style() + cards;
}

}  // namespace outerloop::report
