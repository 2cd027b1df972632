// importance.h5 and importance.json: permutation importance as scikit-learn computes it.
//
//   datasets/<d>/{X, y}   models/<m>   sample_weights/<w>
//   cases/<c>: dataset, model, scoring, sample_weight (name or none), n_repeats, random_state,
//     max_samples; sub_seed, baseline, first_shuffle, row_indices (where fewer than all),
//     importances (columns, repeats), importances_mean, importances_std, importances_blas
//
// Everything is equal to the bit, but scores of probabilities and importances_blas: the predictions
// of a linear model summed in another order.

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"
#include "outerloop/interp/permutation_importance.h"
#include "reference/fields.h"
#include "reference/layouts.h"
#include "reference/stored_model.h"

namespace outerloop::reference {

namespace {

// scikit-learn's names of our metrics.
struct Scoring {
  std::string_view name;
  std::string_view metric;
  bool of_probabilities = false;
  // Everything is exact but exp and log, whose last bit differs between libraries.
  double tolerance() const { return of_probabilities ? 1e-13 : 0; }
};
constexpr Scoring kScorings[] = {
    {"r2", "r2"},
    {"neg_mean_squared_error", "mse"},
    {"neg_mean_absolute_error", "mae"},
    {"accuracy", "accuracy"},
    {"balanced_accuracy", "balanced_accuracy"},
    {"neg_log_loss", "log_loss", true},
    {"roc_auc", "auroc", true},
    {"neg_brier_score", "brier", true},
};

constexpr size_t kMostRepeats = 1'000'000;

class ImportanceCase {
 public:
  ImportanceCase(const Document& document, const std::string& name, Report& report)
      : document_(document), path_("cases/" + name), report_(report) {
    report_.add_group(path_, {"blas_max_abs_diff", "min_decision_gap"});
  }

  void check() {
    const std::vector<double> targets = document_.numbers(dataset("y"));
    const std::vector<double> values = document_.numbers(dataset("X"));
    if (targets.empty() || values.empty()) {
      throw BadInput(fmt::format("{}: {} is empty", document_.name(), dataset("X")));
    }
    const interp::TableView x(values, values.size() / targets.size());
    const Scoring& scoring = scoring_named(document_.text(field("scoring")));
    const std::string model_path = "models/" + document_.text(field("model"));
    const interp::Model model = scoring.of_probabilities
                                    ? stored_probabilities(document_, model_path, x.columns())
                                    : stored_model(document_, model_path, x.columns());
    const std::string weights = document_.text(field("sample_weight"));
    const interp::SklearnDraws draws = interp::sklearn_draws(
        static_cast<uint32_t>(document_.count(field("random_state"), UINT32_MAX)), x.rows(),
        samples(x.rows()), document_.count(field("n_repeats"), kMostRepeats));
    compare_draws(draws);
    std::vector<interp::FeatureGroup> groups;
    for (uint32_t j = 0; j < x.columns(); ++j) groups.push_back({{}, {j}});
    const std::vector<double> row_weights =
        weights.empty() ? std::vector<double>{} : document_.numbers("sample_weights/" + weights);
    const auto importances =
        interp::permutation_importance({.model = interp::gathering(model),
                                        .x = x,
                                        .targets = targets,
                                        .weights = row_weights,
                                        .metrics = {&interp::metric_named(scoring.metric), 1},
                                        .groups = groups},
                                       interp::sklearn_exchange(draws));
    compare_results(importances[0], scoring.tolerance());
  }

 private:
  std::string field(const std::string& name) const { return path_ + "/" + name; }
  std::string dataset(const std::string& name) const {
    return "datasets/" + document_.text(field("dataset")) + "/" + name;
  }

  const Scoring& scoring_named(const std::string& name) const {
    const auto place = std::ranges::find(kScorings, name, &Scoring::name);
    if (place != std::end(kScorings)) return *place;
    throw BadInput(fmt::format("{}: {}: scoring '{}' is unknown", document_.name(), path_, name));
  }
  // max_samples: a number of rows, or a share up to 1.0. A file cannot tell one row from all of
  // them, but only the former stores which.
  size_t samples(size_t rows) const {
    const double value = document_.number(field("max_samples"));
    const bool is_share = value < 1 || (value == 1 && !document_.exists(field("row_indices")));
    return is_share ? interp::sampled_rows(value, rows)
                    : document_.count(field("max_samples"), rows);
  }

  void compare(const std::string& name, std::span<const double> got, double tolerance = 0) {
    if (!document_.exists(field(name))) return;
    report_.absolute(field(name), got, document_.numbers(field(name)), tolerance);
  }
  void compare_draws(const interp::SklearnDraws& draws) {
    const auto as_doubles = [](const std::vector<uint32_t>& places) {
      return std::vector<double>(places.begin(), places.end());
    };
    compare("sub_seed", std::vector<double>{static_cast<double>(draws.seed)});
    compare("row_indices", as_doubles(draws.rows));
    compare("first_shuffle", as_doubles(draws.donors.front()));
  }
  void compare_results(const interp::Importance& importance, double tolerance) {
    compare("baseline", std::vector<double>{importance.baseline}, tolerance);
    compare("importances", importance.decreases, tolerance);
    compare("importances_mean", importance.mean, tolerance);
    compare("importances_std", importance.deviation, tolerance);
    const std::string blas = field("importances_blas");
    if (!document_.exists(blas)) return;
    const double scale = std::max(1.0, norm_of(importance.decreases));
    report_.scaled(blas, importance.decreases, document_.numbers(blas), scale, 1e-12);
  }

  const Document& document_;
  std::string path_;
  Report& report_;
};

}  // namespace

bool is_importance(const Document& document) {
  return document.exists("cases") && document.exists("datasets") && document.exists("models");
}

void check_importance(const Document& document, Report& report) {
  for (const std::string& name : document.list("cases")) {
    ImportanceCase(document, name, report).check();
  }
}

bool is_importance_file(const StoredFile& file) {
  return is_importance(Hdf5Document(file));
}

void check_importance_file(Context& context) {
  check_importance(Hdf5Document(context.file), context.report);
}

}  // namespace outerloop::reference
