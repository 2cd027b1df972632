// metrics.json: cases {name, rule, input, expected}. What a case is about is told by its input;
// what is expected are quantities by name. The rules are the definitions in outerloop/interp.

#include "outerloop/interp/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>

#include "outerloop/base/averages.h"
#include "outerloop/base/error.h"
#include "outerloop/interp/calibration.h"
#include "outerloop/interp/fairness.h"
#include "outerloop/interp/risk_coverage.h"
#include "outerloop/interp/statistics.h"
#include "reference/fields.h"
#include "reference/layouts.h"

namespace outerloop::reference {

namespace {

using Numbers = std::vector<double>;

constexpr size_t kMostBins = 1'000'000;

struct Answer {
  Numbers values;
  double tolerance = 1e-12;
  bool absolute = false;
  double scale = 0;  // what a relative error is relative to, where that is more than the values
};

Answer exact(Numbers values) {
  return {.values = std::move(values), .tolerance = 0, .absolute = true};
}
template <class Count>
Answer count(Count value) {
  return exact({static_cast<double>(value)});
}
// A difference of numbers of this size.
Answer difference(Numbers values, double scale) {
  return {.values = std::move(values), .scale = scale};
}

using Answers = std::map<std::string, Answer>;

class Case {
 public:
  Case(const Document& document, const std::string& name)
      : document_(document), path_("cases/" + name) {}

  bool has_input(const std::string& name) const { return document_.exists(input(name)); }
  Numbers operator[](const std::string& name) const { return document_.numbers(input(name)); }
  size_t bins() const { return document_.count(input("bins"), kMostBins); }
  size_t rows(const std::string& name) const { return document_.rows(input(name)); }
  // The numbers as so many rows.
  interp::TableView table(const Numbers& values, size_t rows) const {
    if (rows > 0 && values.size() % rows == 0) return {values, values.size() / rows};
    throw BadInput(fmt::format("{}: {}: {} numbers do not fit {} rows", document_.name(), path_,
                               values.size(), rows));
  }

  std::vector<std::string> expected() const { return document_.list(path_ + "/expected"); }
  bool expects(const std::string& name) const {
    return document_.exists(path_ + "/expected/" + name);
  }

  void compare(const Answers& answers, Report& report) const {
    for (const std::string& name : expected()) {
      const auto place = answers.find(name);
      if (place == answers.end()) {
        throw BadInput(
            fmt::format("{}: {}: no rule is known for '{}'", document_.name(), path_, name));
      }
      compare_one(name, place->second, report);
    }
  }

 private:
  std::string input(const std::string& name) const { return path_ + "/input/" + name; }

  void compare_one(const std::string& name, const Answer& answer, Report& report) const {
    const std::string path = path_ + "/expected/" + name;
    Numbers got = answer.values;
    Numbers expected = document_.numbers(path);
    // Undefined on both sides is agreement.
    for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
      if (std::isnan(got[i]) && std::isnan(expected[i])) got[i] = expected[i] = 0;
    }
    const std::string shown = path_.substr(path_.find('/') + 1) + "/" + name;
    if (answer.absolute) {
      report.absolute(shown, got, expected, answer.tolerance);
    } else {
      report.scaled(shown, got, expected, std::max(norm_of(expected), answer.scale),
                    answer.tolerance);
    }
  }

  const Document& document_;
  std::string path_;
};

Answers calibration_error(const Case& c) {
  const auto error = interp::calibration_error(c["confidence"], c["correct"], c.bins());
  return {{"ece", difference({error.value}, 1)},
          {"bin_count", exact({error.bin_count.begin(), error.bin_count.end()})}};
}

// What is expected as ece<bins><suffix>.
void add_calibration_errors(Answers& answers, const Case& c, const interp::TopClass& top,
                            const std::string& suffix) {
  for (const std::string& name : c.expected()) {
    char* end = nullptr;
    const bool is_error = name.starts_with("ece");
    const auto bins = is_error ? std::strtoul(name.c_str() + 3, &end, 10) : 0;
    if (bins == 0 || bins > kMostBins || end != suffix) continue;
    const auto error = interp::calibration_error(top.confidence, top.correct, bins);
    answers[name] = difference({error.value}, 1);
  }
}

double mean_of(const Numbers& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total / static_cast<double>(values.size());
}

Answers probabilities(const Case& c, const Numbers& values, const Numbers& labels) {
  const interp::TableView p = c.table(values, labels.size());
  const interp::TopClass top = interp::top_class(p, labels);
  Answers answers = {{"nll", {{interp::negative_log_likelihood(p, labels)}}},
                     {"brier", {{interp::brier_score(p, labels)}}},
                     {"accuracy", {{mean_of(top.correct)}}},
                     {"confidence", {top.confidence}}};
  add_calibration_errors(answers, c, top, "");
  return answers;
}

Answers given_probabilities(const Case& c) {
  return probabilities(c, c["probabilities"], c["labels"]);
}

void add_temperature(Answers& answers, const Case& c, const interp::TableView& logits,
                     const Numbers& labels) {
  const auto inverse = interp::fit_inverse_temperature(logits, labels);
  if (!inverse) return;
  constexpr double kTolerance = 1e-8;
  const Numbers values = interp::softmax(logits, *inverse);
  const interp::TableView p = c.table(values, labels.size());
  const interp::TopClass top = interp::top_class(p, labels);
  answers["T"] = {.values = {1 / *inverse}, .tolerance = kTolerance, .absolute = true};
  answers["inverse_T"] = {.values = {*inverse}, .tolerance = kTolerance, .absolute = true};
  answers["nll_after"] = {{interp::logit_nll(logits, labels, *inverse)}};
  answers["brier_after"] = {{interp::brier_score(p, labels)}};
  answers["accuracy_after"] = {{mean_of(top.correct)}};
  add_calibration_errors(answers, c, top, "_after");
}

Answers logits(const Case& c) {
  const Numbers values = c["logits"];
  const Numbers labels = c["labels"];
  const interp::TableView z = c.table(values, labels.size());
  Answers answers = probabilities(c, interp::softmax(z), labels);
  const double nll = interp::logit_nll(z, labels);
  answers["nll"] = {{nll}};
  answers["nll_before"] = {{nll}};
  answers["derivative_at_T1"] = difference({interp::logit_nll_slope(z, labels, 1)}, 1);
  add_temperature(answers, c, z, labels);
  return answers;
}

Answers risk_coverage(const Case& c) {
  const auto risk = interp::risk_coverage(c["confidence"], c["correct"]);
  return {{"aurc", {{risk.area}}},
          {"aurc_stable", {{risk.area_stable}}},
          {"oracle", {{risk.oracle}}},
          {"e_aurc", difference({risk.excess}, risk.area)},
          {"e_aurc_log", difference({risk.excess_log}, risk.area)}};
}

Answers ranking(const Case& c) {
  const Numbers labels = c["label"];
  const Numbers scores = c["score"];
  const auto positives = std::ranges::count(labels, 1.0);
  return {{"auroc", {{interp::auroc(labels, {scores}, {})}}},
          {"positives", count(positives)},
          {"negatives", count(static_cast<std::ptrdiff_t>(labels.size()) - positives)}};
}

Answers group_fairness(const Case& c) {
  const auto result = interp::fairness(c["y"], c["prediction"], c["group"]);
  return {{"selection_rate", {result.selection_rate}},
          {"tpr", {result.true_positive_rate}},
          {"fpr", {result.false_positive_rate}},
          {"dp_difference", difference({result.parity_difference}, 1)},
          {"dp_ratio", {{result.parity_ratio}}},
          {"tpr_difference", difference({result.true_positive_difference}, 1)},
          {"fpr_difference", difference({result.false_positive_difference}, 1)},
          {"eo_difference", difference({result.odds_difference}, 1)},
          {"eo_mean", difference({result.odds_mean}, 1)}};
}

// What is expected is named by the share.
Answers tail_losses(const Case& c) {
  const Numbers losses = c["loss"];
  Answers answers;
  for (const std::string& name : c.expected()) {
    const double share = std::strtod(name.c_str(), nullptr);
    answers[name] = {{interp::conditional_value_at_risk(losses, share)}};
  }
  return answers;
}

void add_sign_flips(Answers& answers, const Numbers& values) {
  const auto flips = interp::SignFlips::exhaustive(values.size());
  const auto test = interp::sign_flip_test(values, flips);
  const auto add = [&](const std::string& side, uint64_t extreme) {
    answers["count_" + side] = count(extreme);
    answers["p_" + side] = {{static_cast<double>(extreme) / static_cast<double>(test.vectors)}};
  };
  add("two_sided", test.two_sided);
  add("greater", test.greater);
  add("less", test.less);
}

Answers values_over_tasks(const Case& c) {
  const Numbers values = c["values"];
  const auto interval = mean_interval(values);
  Numbers magnitudes = values;
  for (double& value : magnitudes) value = std::abs(value);
  const double scale = std::max(mean_of(magnitudes), interval.half);
  Answers answers = {{"mean", difference({interval.mean}, scale)},
                     {"sd", {{interval.deviation}}},
                     {"se", {{interval.error}}},
                     {"t_quantile", {{interval.quantile}}},
                     {"half", {{interval.half}}},
                     {"lower", difference({interval.lower}, scale)},
                     {"upper", difference({interval.upper}, scale)},
                     {"normal_half", {{interval.normal_half}}}};
  // All sign vectors of many values are too many, and nobody asks for them.
  if (c.expects("count_two_sided") || c.expects("p_two_sided")) add_sign_flips(answers, values);
  return answers;
}

// The least distance of a null statistic from an observed one that is no tie, as a share of it.
double closest_non_tie(const interp::MaxT& result) {
  double least = INFINITY;
  for (const double observed : result.statistic) {
    for (const double null : result.test_null) {
      const double distance = std::abs(null - observed) / observed;
      if (distance > 1e-12) least = std::min(least, distance);
    }
  }
  return least;
}

Answers simultaneous_band(const Case& c) {
  constexpr double kLevel = 0.95;
  const Numbers values = c["x"];
  const interp::TableView x = c.table(values, c.rows("x"));
  const auto flips = interp::SignFlips::exhaustive(x.rows());
  const auto result = interp::max_t(x, flips, kLevel);
  const auto vectors = static_cast<double>(flips.count());
  const auto place = static_cast<size_t>(std::ceil(kLevel * vectors)) - 1;
  Numbers neighbours;
  for (size_t i = place == 0 ? 0 : place - 1; i < std::min(place + 2, result.band_null.size());
       ++i) {
    neighbours.push_back(result.band_null[i]);
  }
  Numbers exceeding(result.exceeding.begin(), result.exceeding.end());
  Numbers adjusted = exceeding;
  for (double& p : adjusted) p /= vectors;
  const double width = norm_of(result.error) * result.critical;
  return {{"mean", difference(result.mean, width)},
          {"se", {result.error}},
          {"t", {result.statistic}},
          {"critical", {{result.critical}}},
          {"critical_neighbours", {neighbours}},
          {"lower", difference(result.lower, width)},
          {"upper", difference(result.upper, width)},
          {"p_adjusted_count", exact(exceeding)},
          {"p_adjusted", {adjusted}},
          {"closest_non_tie_relative", difference({closest_non_tie(result)}, 1)}};
}

struct Kind {
  const char* told_by;  // an input; the first that is there decides
  Answers (*answers)(const Case& c);
};
constexpr Kind kKinds[] = {
    {"bins", calibration_error}, {"logits", logits},       {"probabilities", given_probabilities},
    {"correct", risk_coverage},  {"score", ranking},       {"group", group_fairness},
    {"alphas", tail_losses},     {"x", simultaneous_band}, {"values", values_over_tasks},
};

}  // namespace

bool is_metrics(const Document& document) {
  if (!document.exists("cases")) return false;
  const auto names = document.list("cases");
  return !names.empty() && document.exists("cases/" + names.front() + "/input");
}

void check_metrics(const Document& document, Report& report) {
  for (const std::string& name : document.list("cases")) {
    const Case c(document, name);
    const auto kind =
        std::ranges::find_if(kKinds, [&](const Kind& k) { return c.has_input(k.told_by); });
    if (kind == std::end(kKinds)) {
      throw BadInput(
          fmt::format("{}: cases/{}: no rule is known for its input", document.name(), name));
    }
    c.compare(kind->answers(c), report);
  }
}

}  // namespace outerloop::reference
