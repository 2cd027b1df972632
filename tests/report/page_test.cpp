// The page as a function of its data.

#include "report/page.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

namespace outerloop::report {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

int64_t count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return std::distance(std::sregex_iterator(text.begin(), text.end(), regex), {});
}

Statistic statistic(double mean, double ci95) {
  return {.mean = mean, .ci95 = ci95, .median = mean, .tasks = 600};
}

ReportData classification() {
  ReportData data{.title = "a <run>",
                  .subtitle = "squares & circles",
                  .classification = true,
                  .ways = 2,
                  .test_steps = 1,
                  .iterations = 20,
                  .planned_iterations = 20,
                  .finished = true};
  data.training = {{10, 0.9, 0.6}, {20, 0.5, 0.8}};
  data.validation = {{20, 0.6, 0.05, 0.75, 0.03}};
  data.test = {{0, statistic(0.7, 0.01), statistic(0.5, 0.02)},
               {1, statistic(0.2, 0.01), statistic(0.964, 0.003)}};
  data.test_tasks = data.test_draws = 600;
  data.task_results = {.before = {0, 0.5, 1}, .after = {1, 1, 0.5}};
  data.protocol = {{"Ways", "2"}, {"Transductive", "yes"}};
  data.environment = {{"Processor", "a fast one"}};
  data.config = "seed: 1\n";
  const data::Image image{.height = 2, .width = 2, .channels = 1, .pixels = {0, 60, 120, 255}};
  data.image_tasks = {{.class_names = {"cat", "dog"},
                       .support = {{image}, {image}},
                       .queries = {{image, 0, {0.5F, 0.5F}, {0.9F, 0.1F}},
                                   {image, 1, {0.5F, 0.5F}, {0.7F, 0.3F}}}}};
  return data;
}

ReportData regression() {
  ReportData data{.title = "sine", .iterations = 20, .planned_iterations = 20, .finished = true};
  data.test = {{0, statistic(3, 0.1), {}, 2}, {1, statistic(0.188, 0.012), {}, 3}};
  data.test_tasks = data.test_draws = 603;
  data.curve_tasks = {{.name = "amplitude 2",
                       .truth = {{0, 0}, {1, 1}},
                       .support = {{0.5, 0.5}},
                       .predictions = {{0, {{0, 0}, {1, 0}}}, {1, {{0, 0}, {1, 0.9}}}}}};
  return data;
}

TEST(Page, NeedsNothingButItself) {
  for (const std::string& html : {page(classification()), page(regression())}) {
    for (const char* outside : {"http:", "https:", "<script", "<link", "src=", "@import", "//"}) {
      const std::string text = std::regex_replace(html, std::regex("base64,[^)]*"), "");
      EXPECT_FALSE(contains(text, outside)) << outside;
    }
    EXPECT_TRUE(contains(html, "prefers-color-scheme: dark"));
    EXPECT_TRUE(contains(html, "width=device-width"));
  }
}

TEST(Page, ClosesWhatItOpens) {
  for (const std::string& html : {page(classification()), page(regression())}) {
    for (const std::string tag :
         {"div", "section", "table", "tr", "td", "th", "svg", "text", "span", "b", "p", "h2", "h3",
          "details", "style", "main", "caption"}) {
      EXPECT_EQ(count(html, "<" + tag + "[ >]"), count(html, "</" + tag + ">")) << tag;
    }
  }
}

TEST(Page, EscapesWhatItDidNotWrite) {
  const std::string html = page(classification());
  EXPECT_TRUE(contains(html, "a &lt;run&gt;"));
  EXPECT_TRUE(contains(html, "squares &amp; circles"));
  EXPECT_FALSE(contains(html, "<run>"));
}

TEST(Page, LeadsWithTheResultItsIntervalAndTasks) {
  EXPECT_TRUE(contains(page(classification()),
                       "96.4 % <small>± 0.3 %</small></b><span>accuracy on 600 unseen test tasks"));
  const std::string html = page(regression());
  EXPECT_TRUE(contains(html, "0.188 <small>± 0.012</small></b><span>mean squared error on 600"));
  EXPECT_TRUE(contains(html, "<b>3 of 603</b><span>test tasks diverged"));
}

TEST(Page, CountsTasksThatWereDrawnSeveralTimesOnce) {
  ReportData data = regression();
  data.test_tasks = 600;
  data.test_draws = 1200;
  const std::string html = page(data);
  EXPECT_TRUE(contains(html, "mean squared error on 600 unseen test tasks"));
  EXPECT_TRUE(contains(html, "interval over 600 test tasks, without draws that diverged."));
  EXPECT_TRUE(contains(html, "<b>3 of 1,200</b><span>draws of test tasks diverged"));
}

TEST(Page, ShowsHowItLearnedAndWhere) {
  const std::string html = page(classification());
  EXPECT_TRUE(contains(html, "<h3>Accuracy while learning</h3>"));
  EXPECT_TRUE(contains(html, "Accuracy over outer iterations, training and validation"));
  EXPECT_TRUE(contains(html, "<h3>Environment</h3>"));
  EXPECT_TRUE(contains(html, "a fast one"));
}

TEST(Page, OneTestTaskHasNoInterval) {
  for (ReportData data : {classification(), regression()}) {
    for (StepResult& result : data.test) {
      result.diverged = 0;
      for (Statistic* s : {&result.loss, result.accuracy ? &*result.accuracy : &result.loss}) {
        s->ci95 = NAN;
        s->tasks = 1;
      }
    }
    data.validation = {{20, 0.6, NAN, 0.75, NAN}};
    data.test_tasks = data.test_draws = 1;
    const std::string html = page(data);
    EXPECT_TRUE(contains(html, " on 1 unseen test task after 1 inner step, without an interval"));
    EXPECT_TRUE(contains(html, "Mean over 1 test task."));
    EXPECT_TRUE(contains(html, "The first test task"));
    EXPECT_FALSE(contains(html, "±"));
    EXPECT_FALSE(contains(html, "nan"));
  }
}

TEST(Page, MarksRightAndWrongAnswersByMoreThanColour) {
  const std::string html = page(classification());
  EXPECT_TRUE(contains(html, "Before adaptation: 1 of 2 right"));
  EXPECT_TRUE(contains(html, "After 1 step: 1 of 2 right"));
  EXPECT_EQ(count(html, "class=\"right\">✓"), 2);
  EXPECT_EQ(count(html, "class=\"wrong\">✗"), 2);
  EXPECT_TRUE(contains(html, "--p:0.90\"><b class=\"right\">✓</b>90</td>"));
}

TEST(Page, CountsNoAnswerOfADivergedTaskAsRight) {
  ReportData data = classification();
  for (ImageQuery& query : data.image_tasks.front().queries) query.after = {NAN, NAN};
  const std::string html = page(data);
  EXPECT_TRUE(contains(html, "After 1 step: 0 of 2 right"));
  EXPECT_EQ(count(html, "class=\"p truth\">–</td>"), 2);
  EXPECT_FALSE(contains(html, "nan"));
}

TEST(Page, SumsUpClassesThatHaveNoColumn) {
  ReportData data = classification();
  ImageTask& task = data.image_tasks.front();
  const data::Image image = task.support[0][0];
  task.class_names.assign(12, "class");
  task.support.assign(12, {image});
  const std::vector<float> even(12, 1.0F / 12);
  task.queries = {{image, 11, even, even}};
  const std::string html = page(data);
  EXPECT_EQ(count(html, "<th>2 others</th>"), 2);
  EXPECT_TRUE(contains(html, ">17</td></tr>"));  // 2 / 12
}

TEST(Page, SaysWhatTheLossOfTrainingIsWhereItIsOfNoQueries) {
  ReportData data = classification();
  const std::string said = "The loss of training is of the support.";
  EXPECT_EQ(count(page(data), said), 0);
  data.training_loss = "of the support";
  EXPECT_EQ(count(page(data), said), 1);
}

TEST(Page, SaysWhatIsMissing) {
  ReportData data = classification();
  data.test.clear();
  data.finished = false;
  data.iterations = 10;
  data.image_tasks.clear();
  data.no_examples = "set.h5: no such file";
  const std::string html = page(data);
  EXPECT_TRUE(contains(html, "iteration 10 of 20"));
  EXPECT_TRUE(contains(html, "no test yet"));
  EXPECT_TRUE(contains(html, "Not shown: set.h5: no such file"));
}

TEST(Page, ShowsLearnersWithoutSteps) {
  ReportData data = classification();
  data.test.erase(data.test.begin());
  data.test.front().step = 0;
  for (ImageQuery& query : data.image_tasks.front().queries) query.after.clear();
  const std::string html = page(data);
  EXPECT_TRUE(contains(html, "Answers: 1 of 2 right"));
  EXPECT_FALSE(contains(html, "efore adaptation"));
}

}  // namespace
}  // namespace outerloop::report
