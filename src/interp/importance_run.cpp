#include "outerloop/interp/importance_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "interp/importance_problem.h"
#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"
#include "outerloop/io/json_text.h"

namespace outerloop::interp {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRound = "importance-round";

// A journal in the folder of journals, or nothing.
std::optional<fs::path> journal_with(Repeats repeats, const fs::path& journals) {
  std::error_code error;
  for (fs::directory_iterator entry(journals, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& file = entry->path();
    const bool of_round = file.filename().string().starts_with(kRound);
    if (file.extension() == ".h5" && of_round == (repeats == Repeats::in_rounds)) return file;
  }
  return std::nullopt;
}

}  // namespace

fs::path ImportanceFolder::journal(const farm::Shard& shard) const {
  const std::string name = shard.count == 1
                               ? "importance.h5"
                               : fmt::format("importance-{}of{}.h5", shard.index, shard.count);
  return root / "journal" / name;
}

fs::path ImportanceFolder::journal_of_round(size_t round) const {
  return root / "journal" / fmt::format("{}{}.h5", kRound, round);
}

std::string ImportanceFolder::way_out() const {
  return fmt::format("choose another folder with {}{}FOLDER", chosen_by,
                     chosen_by.starts_with("--") ? ' ' : '=');
}

void ImportanceFolder::prepare(Repeats repeats) const {
  std::error_code error;
  fs::create_directories(root, error);
  if (error) {
    throw BadInput(fmt::format("{0} {1}: cannot be created: {2}; choose another {0}", chosen_by,
                               root.string(), error.message()));
  }
  const fs::directory_iterator entry(root);
  // Looked for last: another shard may be making it.
  if (entry != fs::directory_iterator() && !fs::exists(journal().parent_path(), error)) {
    throw BadInput(fmt::format("{} {}: holds '{}' but no journal of importance; choose another",
                               chosen_by, root.string(), entry->path().filename().string()));
  }
  const bool by_budget = repeats == Repeats::in_rounds;
  if (const auto other =
          journal_with(by_budget ? Repeats::fixed : Repeats::in_rounds, journal().parent_path())) {
    throw BadInput(fmt::format(
        "{} is of an importance {} --budget auto, whose results one {} it would replace; {}, or "
        "remove {}",
        other->string(), by_budget ? "without" : "with", by_budget ? "with" : "without", way_out(),
        other->parent_path().string()));
  }
  fs::create_directories(journal().parent_path(), error);
  if (!error) return;
  throw BadInput(fmt::format("{} {}: the folder journal cannot be created: {}", chosen_by,
                             root.string(), error.message()));
}

struct ImportanceJob::Problem {
  ImportanceProblem data;
  size_t scored_rows = 0;
  std::unique_ptr<const PermutationScorer> scorer;

  explicit Problem(const ImportanceSpec& spec) : data(read_problem(spec)) {
    Exchange exchange = exchange_of(spec, data.table);
    scored_rows = exchange.is_exact ? data.table.targets.size() : exchange.rows.size();
    scorer = std::make_unique<PermutationScorer>(data.scored_by(data.model(spec.precision)),
                                                 std::move(exchange));
  }
};

namespace {

// Counts changes of what the same spec gives: 2 since exact donors within classes and rows of
// weight 0 are counted right.
constexpr int kTableAnswers = 2;

// All that the decreases depend on.
std::string content_of(const ImportanceSpec& spec, const ImportanceProblem& problem) {
  nlohmann::ordered_json json = {{"answers", kTableAnswers},
                                 {"table", sha256_hex_of_file(problem.file)},
                                 {"target", spec.target},
                                 {"features", problem.table.features},
                                 {"weights", spec.weights},
                                 {"model", spec.model},
                                 {"mode", config::word(spec.mode)},
                                 {"rng", config::word(spec.rng)},
                                 {"donors", config::word(spec.donors)},
                                 {"ridge", spec.ridge},
                                 {"repeats", spec.repeats},
                                 {"max_samples", spec.max_samples},
                                 {"seed", spec.seed}};
  if (spec.is_mlp()) {
    json["parameters"] = sha256_hex_of_file(problem.parameters);
    json["activation"] = config::word(spec.activation);
    json["precision"] = config::word(spec.precision);
  }
  for (const FeatureGroup& group : problem.groups) {
    json["groups"].push_back({{"name", group.name}, {"columns", group.columns}});
  }
  return io::json_text(json);
}

}  // namespace

ImportanceJob::ImportanceJob(const ImportanceSpec& spec)
    : spec_(spec),
      problem_(std::make_unique<const Problem>(spec)),
      manifest_{"importance", content_of(spec, problem_->data)} {
  const ImportanceProblem& data = problem_->data;
  const PermutationScorer& scorer = *problem_->scorer;
  spec_.metrics.clear();
  for (const Metric& metric : data.metrics) spec_.metrics.emplace_back(metric.name);
  for (size_t g = 0; g < scorer.groups(); ++g) {
    for (size_t k = 0; k < scorer.repeats(); ++k) {
      cells_.push_back({fmt::format("group={}/repeat={}", data.groups[g].name, k)});
    }
  }
}

ImportanceJob::~ImportanceJob() = default;

void ImportanceJob::run(size_t cell, int, std::span<double> values) {
  const size_t repeats = problem_->scorer->repeats();
  std::ranges::copy(problem_->scorer->decreases(cell / repeats, cell % repeats), values.begin());
}

ImportanceResult ImportanceJob::fold(const farm::Results& results) const {
  OL_ASSERT(results.complete(), "a fold of results that are not complete");
  std::vector<std::vector<double>> decreases;
  for (size_t cell = 0; cell < results.cells(); ++cell) {
    decreases.emplace_back(results.values(cell).begin(), results.values(cell).end());
  }
  const PermutationScorer& scorer = *problem_->scorer;
  const ImportanceProblem& data = problem_->data;
  return {.spec = spec_,
          .table = data.file,
          .rows = data.table.targets.size(),
          .scored_rows = problem_->scored_rows,
          .features = data.table.features,
          .classes = data.table.classes,
          .coefficients = data.fitted.coefficients,
          .offsets = data.fitted.offsets,
          .network = data.mlp ? data.mlp->shape() : "",
          .groups = data.groups,
          .metrics = summarise(data.metrics, scorer.baselines(), scorer.repeats(), decreases)};
}

}  // namespace outerloop::interp
