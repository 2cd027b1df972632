#include "outerloop/interp/importance_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <map>
#include <optional>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/home.h"
#include "outerloop/config/read.h"
#include "outerloop/config/suggest.h"
#include "outerloop/config/yaml_errors.h"
#include "outerloop/interp/metrics.h"
#include "outerloop/interp/simple_models.h"

namespace outerloop::interp {

namespace {

namespace fs = std::filesystem;

// What is wrong with a value, or nothing.
using Refusal = std::optional<std::string>;

struct Key {
  std::string_view name;
  std::string help;
  Refusal (*read)(const YAML::Node& node, ImportanceSpec& spec);
};

std::string shown(const YAML::Node& node) {
  if (node.IsScalar()) return fmt::format("'{}'", node.Scalar());
  return node.IsNull() ? "nothing" : node.IsSequence() ? "a list" : "keys";
}

Refusal expected(std::string_view what, const YAML::Node& node) {
  return fmt::format("expected {}, got {}", what, shown(node));
}

template <auto Member>
Refusal read_text(const YAML::Node& node, ImportanceSpec& spec) {
  if (!node.IsScalar() || node.Scalar().empty()) return expected("a text", node);
  spec.*Member = node.Scalar();
  return std::nullopt;
}

template <auto Member>
Refusal read_path(const YAML::Node& node, ImportanceSpec& spec) {
  Refusal refusal = read_text<Member>(node, spec);
  spec.*Member = with_home(spec.*Member);
  return refusal;
}

template <auto Member>
Refusal read_texts(const YAML::Node& node, ImportanceSpec& spec) {
  if (!node.IsSequence()) return expected("a list such as [a, b]", node);
  if (node.size() == 0) return "expected one name or more, got an empty list; leave it out";
  for (const YAML::Node& element : node) {
    if (!element.IsScalar()) return expected("a list of texts", element);
    (spec.*Member).push_back(element.Scalar());
  }
  return std::nullopt;
}

// A number from `low` to `high`; not `low` itself where that is open.
template <auto Member>
Refusal read_number(const YAML::Node& node, ImportanceSpec& spec, double low, double high,
                    bool open = false) {
  using Number = std::remove_reference_t<decltype(spec.*Member)>;
  constexpr bool kWhole = std::is_integral_v<Number>;
  const std::string text = node.IsScalar() ? node.Scalar() : "";
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto real = static_cast<double>(value);
  const bool fits = error == std::errc{} && end == text.data() + text.size() && real >= low &&
                    real <= high && !(open && real == low);
  if (!fits) {
    return expected(fmt::format("a {}number {} {} up to {}", kWhole ? "whole " : "",
                                open ? "above" : "from", low, high),
                    node);
  }
  spec.*Member = value;
  return std::nullopt;
}

template <auto Member>
Refusal read_choice(const YAML::Node& node, ImportanceSpec& spec) {
  using Enum = std::remove_reference_t<decltype(spec.*Member)>;
  const auto value = node.IsScalar() ? config::choice_named<Enum>(node.Scalar()) : std::nullopt;
  if (!value) return expected(fmt::format("one of {}", choice_words(Enum{})), node);
  spec.*Member = *value;
  return std::nullopt;
}

Refusal read_model(const YAML::Node& node, ImportanceSpec& spec) {
  std::vector<std::string_view> names;
  for (const SimpleModelKind& kind : simple_models()) {
    names.push_back(kind.name);
    if (node.IsScalar() && node.Scalar() == kind.name)
      return read_text<&ImportanceSpec::model>(node, spec);
  }
  names.emplace_back("mlp");
  if (node.IsScalar() && node.Scalar() == "mlp") {
    return read_text<&ImportanceSpec::model>(node, spec);
  }
  return expected(fmt::format("one of {}", fmt::join(names, ", ")), node);
}

Refusal read_groups(const YAML::Node& node, ImportanceSpec& spec) {
  if (!node.IsMap()) return expected("names with lists of features, such as {size: [a, b]}", node);
  for (const auto& entry : node) {
    NamedGroup group{.name = entry.first.IsScalar() ? entry.first.Scalar() : ""};
    const YAML::Node& columns = entry.second;
    if (group.name.empty()) return expected("the name of a group", entry.first);
    if (!columns.IsSequence())
      return expected("a list of features in '" + group.name + "'", columns);
    for (const YAML::Node& column : columns) {
      if (!column.IsScalar())
        return expected("the name of a feature in '" + group.name + "'", column);
      group.columns.push_back(column.Scalar());
    }
    spec.groups.push_back(std::move(group));
  }
  return std::nullopt;
}

std::string help_on_metrics() {
  std::string text = "list of ";
  for (const SimpleModelKind& kind : simple_models()) {
    text += fmt::format("{} ({}); ", fmt::join(kind.metrics(), ", "), kind.name);
  }
  return text + "mlp: as linear or, of classes, logistic [the first]";
}

using Spec = ImportanceSpec;
const Spec kUsual{};
const std::vector<Key> kKeys = {
    {"table",
     "CSV with a header line (maybe .gz) or HDF5 of columns; looked up from this folder first",
     read_path<&Spec::table>},
    {"target", "column to predict; words count as classes 0, 1, … in alphabetical order",
     read_text<&Spec::target>},
    {"features", "list of columns; all others without", read_texts<&Spec::features>},
    {"weights", "column of row weights, in the fit and in the scores", read_text<&Spec::weights>},
    {"model",
     fmt::format("linear, logistic or centroid, fitted to the table; or mlp, from parameters [{}]",
                 kUsual.model),
     read_model},
    {"parameters",
     "of mlp: .safetensors, .npz or .h5 of `outerloop ckpt export`, or with layer1.weight "
     "(outputs, inputs), layer1.bias, layer2.weight, …; several outputs are classes",
     read_path<&Spec::parameters>},
    {"activation",
     fmt::format("of mlp, after all layers but the last: relu or tanh [{}]",
                 config::word(kUsual.activation)),
     read_choice<&Spec::activation>},
    {"precision", fmt::format("of mlp: float32 or float64 [{}]", config::word(kUsual.precision)),
     read_choice<&Spec::precision>},
    {"metrics", help_on_metrics(), read_texts<&Spec::metrics>},
    {"groups", "features that change rows together: {name: [feature, …]}; others are alone",
     read_groups},
    {"mode",
     fmt::format("sampled: random permutations; exact: all donor rows, no random error [{}]",
                 config::word(kUsual.mode)),
     read_choice<&Spec::mode>},
    {"rng",
     fmt::format("keyed: by seed and repeat; sklearn: scikit-learn's numbers [{}]",
                 config::word(kUsual.rng)),
     read_choice<&Spec::rng>},
    {"donors",
     fmt::format("any row, rows within_class, or ridge_residual: what other features leave [{}]",
                 config::word(kUsual.donors)),
     read_choice<&Spec::donors>},
    {"ridge",
     fmt::format("strength for ridge_residual, on features of unit variance [{}]", kUsual.ridge),
     [](const YAML::Node& n, Spec& s) { return read_number<&Spec::ridge>(n, s, 0, 1e12, true); }},
    {"repeats", fmt::format("permutations of each group [{}]", kUsual.repeats),
     [](const YAML::Node& n, Spec& s) { return read_number<&Spec::repeats>(n, s, 1, 1e6); }},
    {"max_samples",
     fmt::format("share of the rows that is drawn and scored [{}]", kUsual.max_samples),
     [](const YAML::Node& n, Spec& s) {
       return read_number<&Spec::max_samples>(n, s, 0, 1, true);
     }},
    {"seed", fmt::format("of all random numbers [{}]", kUsual.seed),
     [](const YAML::Node& n, Spec& s) { return read_number<&Spec::seed>(n, s, 0, UINT32_MAX); }},
    {"threads", fmt::format("0: one per core that the process may use [{}]", kUsual.threads),
     [](const YAML::Node& n, Spec& s) { return read_number<&Spec::threads>(n, s, 0, 1024); }},
    {"run_dir", "folder of the results [runs/<name of the file>-seed<seed>]",
     read_path<&Spec::run_dir>},
};

// By the sections that such configs begin with.
bool is_of_training(const YAML::Node& document) {
  const auto is_section = [](const YAML::Node& node) { return node.IsDefined() && node.IsMap(); };
  return is_section(document["tasks"]) || is_section(document["learner"]);
}

class Reader {
 public:
  explicit Reader(const fs::path& file) : errors_(file.string()) {
    spec_.name = file.stem().string();
    spec_.folder = file.parent_path();
  }

  void read_file_text(const std::string& text) {
    errors_.read(text, [this](const YAML::Node& document) {
      if (!document.IsMap()) return errors_.add(errors_.file(), "expected `key: value` lines");
      if (is_of_training(document)) {
        return errors_.add(errors_.file(),
                           "is the config of a training, not of a model of a table; train it, then "
                           "name its run folder or a checkpoint file");
      }
      config::YamlErrors::Places seen;
      for (const auto& entry : document) {
        const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
        const std::string origin = errors_.place(entry.first.Mark());
        if (!errors_.given_before(name, origin, seen)) take(name, entry.second, origin);
      }
    });
  }

  void read_word(int number, const std::string& word) {
    const std::string origin = fmt::format("command line: word {}", number);
    const auto equals = word.find('=');
    if (equals == word.npos || equals == 0) {
      return errors_.add(origin, fmt::format("expected key=value, got '{}'", word));
    }
    const std::string name = word.substr(0, equals);
    if (errors_.given_before(name, origin, words_)) return;
    try {
      take(name, YAML::Load(word.substr(equals + 1)), origin);
    } catch (const YAML::Exception& error) {
      errors_.add(origin, fmt::format("not readable as YAML: {}", error.msg));
    }
  }

  ImportanceSpec finish() {
    if (errors_.count() == 0) check_together();
    errors_.raise();
    if (spec_.run_dir.empty())
      spec_.run_dir = fmt::format("runs/{}-seed{}", spec_.name, spec_.seed);
    return std::move(spec_);
  }

 private:
  void take(const std::string& name, const YAML::Node& value, const std::string& origin) {
    const auto key = std::ranges::find(kKeys, name, &Key::name);
    if (key == kKeys.end()) {
      std::vector<std::string_view> names;
      for (const Key& one : kKeys) names.push_back(one.name);
      return errors_.add(origin, config::unknown_among("key", name, names));
    }
    ImportanceSpec fresh;  // so that a list on the command line replaces that of the file
    const auto refusal = key->read(value, fresh);
    if (refusal) return errors_.add(origin, fmt::format("{}: {}", name, *refusal));
    if (name == "features") spec_.features.clear();
    if (name == "metrics") spec_.metrics.clear();
    if (name == "groups") spec_.groups.clear();
    key->read(value, spec_);
    origins_[name] = origin;
  }

  void refuse_if(bool wrong, const std::string& key, std::string_view text) {
    const auto given = origins_.find(key);
    if (wrong)
      errors_.add(given == origins_.end() ? errors_.file() : given->second,
                  fmt::format("{}: {}", key, text));
  }
  bool is_given(const std::string& key) const { return origins_.contains(key); }

  void check_together() {
    refuse_if(spec_.table.empty(), "table", "name a CSV or HDF5 file");
    refuse_if(spec_.target.empty(), "target", "name the column to predict");
    const bool exact = spec_.mode == ImportanceMode::exact;
    const bool conditional = spec_.donors != DonorRule::any;
    const bool as_sklearn = spec_.rng == ImportanceRandom::sklearn;
    refuse_if(as_sklearn && exact, "rng", "scikit-learn has no exact mode: leave it at keyed");
    refuse_if(as_sklearn && conditional, "rng",
              "scikit-learn takes any row as donor: leave it at keyed");
    refuse_if(exact && is_given("repeats") && spec_.repeats > 1, "repeats",
              "exact mode makes one pass: set 1 or leave it out");
    refuse_if(exact && spec_.max_samples < 1, "max_samples",
              "exact mode takes all rows: leave it out");
    refuse_if(is_given("ridge") && spec_.donors != DonorRule::ridge_residual, "ridge",
              "has no effect without donors: ridge_residual");
    check_mlp();
    for (auto metric = spec_.metrics.begin(); metric != spec_.metrics.end(); ++metric) {
      refuse_if(std::count(spec_.metrics.begin(), metric, *metric) == 1, "metrics",
                fmt::format("'{}' is named twice", *metric));
    }
    if (spec_.is_mlp()) return;  // its file says what it can be scored by
    check_metrics(*std::ranges::find(simple_models(), spec_.model, &SimpleModelKind::name));
  }

  void check_mlp() {
    refuse_if(spec_.is_mlp() && spec_.parameters.empty(), "parameters",
              "name the file of the mlp's weights");
    for (const char* key : {"parameters", "activation", "precision"}) {
      refuse_if(is_given(key) && !spec_.is_mlp(), key, "has no effect without model: mlp");
    }
  }

  void check_metrics(const SimpleModelKind& kind) {
    if (spec_.metrics.empty()) spec_.metrics.emplace_back(kind.metrics().front());
    const auto known = kind.metrics();
    for (const std::string& metric : spec_.metrics) {
      refuse_if(
          std::ranges::find(known, metric) == known.end(), "metrics",
          fmt::format("the {} model has {}, not '{}'", kind.name, fmt::join(known, ", "), metric));
    }
    refuse_if(spec_.donors == DonorRule::within_class && !kind.classifies(), "donors",
              fmt::format("within_class needs a classifier, the {} model is none", kind.name));
  }

  config::YamlErrors errors_;
  ImportanceSpec spec_;
  config::YamlErrors::Places words_;
  std::map<std::string, std::string> origins_;
};

}  // namespace

ImportanceSpec read_importance_spec(const fs::path& file, std::span<const std::string> words) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) {
    throw config::ConfigErrors({fmt::format(
        "{}: no such file; expected a config of permutation importance", file.string())});
  }
  Reader reader(file);
  reader.read_file_text(read_file(file));
  int number = 0;
  for (const std::string& word : words) reader.read_word(++number, word);
  return reader.finish();
}

std::string help_on_importance() {
  std::string text;
  for (const Key& key : kKeys) text += fmt::format("  {:12} {}\n", key.name, key.help);
  return text;
}

}  // namespace outerloop::interp
