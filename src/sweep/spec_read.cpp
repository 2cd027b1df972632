#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <functional>

#include "outerloop/base/atomic_file.h"
#include "outerloop/config/read.h"
#include "outerloop/config/schema.h"
#include "outerloop/config/suggest.h"
#include "outerloop/config/word.h"
#include "outerloop/config/yaml_errors.h"
#include "sweep/spec.h"

namespace outerloop::sweep {
namespace {

namespace fs = std::filesystem;

template <class T>
std::optional<T> number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "[40, 40]" for a list, else the text itself: what stands behind = in a word.
std::string word_of(const YAML::Node& node) {
  if (!node.IsSequence()) return node.IsScalar() ? node.Scalar() : std::string();
  std::vector<std::string> elements;
  for (const YAML::Node& element : node) elements.push_back(word_of(element));
  return fmt::format("[{}]", fmt::join(elements, ", "));
}

class Reader {
 public:
  explicit Reader(const fs::path& file) : folder_(file.parent_path()), errors_(file.string()) {
    spec_.name = file.string();
  }

  Spec read(const std::string& text) {
    errors_.read(text, [this](const YAML::Node& document) { read_top(document); });
    errors_.raise();
    return std::move(spec_);
  }

 private:
  using Entry =
      std::function<void(const std::string& name, const YAML::Node& at, const YAML::Node& value)>;

  std::string place(const YAML::Node& node) const { return errors_.place(node.Mark()); }
  void complain(const YAML::Node& at, std::string_view text) { errors_.add(place(at), text); }

  void each(const YAML::Node& map, const std::string& what, const Entry& take) {
    if (!map.IsMap()) return complain(map, fmt::format("{}: expected `key: value` lines", what));
    config::YamlErrors::Places seen;
    for (const auto& entry : map) {
      const std::string name = word_of(entry.first);
      if (errors_.given_before(name, place(entry.first), seen)) continue;
      take(name, entry.first, entry.second);
    }
  }

  using Handler = std::function<void(const YAML::Node&)>;
  using Handlers = std::map<std::string_view, Handler>;
  // A map whose keys are words of this format.
  void each_word(const YAML::Node& map, const std::string& what, const Handlers& handlers) {
    each(map, what, [&](const std::string& name, const YAML::Node& at, const YAML::Node& value) {
      const auto found = handlers.find(name);
      if (found != handlers.end()) return found->second(value);
      std::vector<std::string_view> words;
      for (const auto& [word, handler] : handlers) words.push_back(word);
      complain(at, fmt::format("{}: {}", what, config::unknown_among("word", name, words)));
    });
  }

  void read_top(const YAML::Node& document) {
    each_word(
        document, "sweep",
        {{"config", [this](const YAML::Node& n) { read_config_name(n); }},
         {"set", [this](const YAML::Node& n) { spec_.fixed = overrides(n, "set", true); }},
         {"grid", [this](const YAML::Node& n) { spec_.grid = choices(n, "grid", RangeUse::grid); }},
         {"list", [this](const YAML::Node& n) { read_list(n); }},
         {"random", [this](const YAML::Node& n) { read_random(n); }},
         {"leave_out", [this](const YAML::Node& n) { read_leave_out(n); }},
         {"seeds", [this](const YAML::Node& n) { read_seeds(n); }}});
    if (!document.IsMap() || errors_.count() > 0) return;
    if (!document["config"]) complain(document, "config: name the base config");
    for (const auto& condition : spec_.leave_out) {
      for (const Choice& choice : condition) require_varied(choice.key, document["leave_out"]);
    }
  }

  void read_config_name(const YAML::Node& node) {
    spec_.config_place = place(node);
    if (word_of(node).empty()) return complain(node, "config: expected the name of a file");
    spec_.config = (folder_ / word_of(node)).lexically_normal();
    if (!fs::is_regular_file(spec_.config)) {
      complain(node, fmt::format("config: {}: no such config file", spec_.config.string()));
    }
  }

  // Whether the key may stand there; complains where not.
  bool check_key(const std::string& key, const YAML::Node& at, bool is_fixed) {
    if (config::find_key(key) == nullptr) {
      const bool section = config::is_section(key);
      complain(at, section ? fmt::format("'{}' is a section; write whole keys, such as {}", key,
                                         config::keys_of_section(key).front())
                           : config::unknown_key(key));
      return false;
    }
    std::string why;
    if (key == "run_dir") why = "each point has a folder of its own in the sweep";
    if (key == "seed" && !is_fixed) why = "list seeds under `seeds`";
    if (why.empty() && !is_fixed && !config::changes_results(key)) {
      why = "cannot change results, so its points would be one; put it under `set`";
    }
    if (!why.empty()) complain(at, fmt::format("{}: {}", key, why));
    return why.empty();
  }

  // The canonical text of a value, or nothing and a complaint.
  std::optional<std::string> value(const std::string& key, const YAML::Node& node) {
    const std::string text = word_of(node);
    if (const auto refusal = config::refusal_of_word(key + "=" + text)) {
      complain(node, *refusal);
      return std::nullopt;
    }
    return config::canonical_value(key, text);
  }

  std::vector<Override> overrides(const YAML::Node& map, const char* what, bool is_fixed) {
    std::vector<Override> result;
    each(map, what, [&](const std::string& key, const YAML::Node& at, const YAML::Node& node) {
      if (!check_key(key, at, is_fixed)) return;
      spec_.places.emplace(key, place(at));
      if (auto text = value(key, node)) result.push_back({key, std::move(*text)});
    });
    return result;
  }

  enum class RangeUse { grid, random, condition };

  std::vector<Choice> choices(const YAML::Node& map, const char* what, RangeUse use) {
    std::vector<Choice> result;
    each(map, what, [&](const std::string& key, const YAML::Node& at, const YAML::Node& node) {
      if (!check_key(key, at, false)) return;
      if (use != RangeUse::condition) spec_.places.emplace(key, place(at));
      Choice choice{.key = key};
      if (node.IsMap()) {
        choice.range = range(key, node, use);
      } else if (node.IsSequence()) {
        read_values(choice, node);
      } else if (use == RangeUse::condition) {
        if (auto text = value(key, node)) choice.values.push_back(std::move(*text));
      } else {
        complain(node,
                 fmt::format("{}: expected a list of values or a range {{from: …, to: …}}", key));
      }
      result.push_back(std::move(choice));
    });
    return result;
  }

  void read_values(Choice& choice, const YAML::Node& list) {
    for (const YAML::Node& node : list) {
      if (auto text = value(choice.key, node)) choice.values.push_back(std::move(*text));
    }
    if (list.size() == 0)
      complain(list, fmt::format("{}: expected at least one value", choice.key));
  }

  std::optional<Range> range(const std::string& key, const YAML::Node& node, RangeUse use) {
    const size_t errors = errors_.count();
    Range result;
    bool has_from = false, has_to = false;
    const auto bound = [&](double& to, bool& has) {
      return [&, this](const YAML::Node& n) {
        has = true;
        const auto read = number<double>(word_of(n));
        if (value(key, n) && read) to = *read;
      };
    };
    if (!config::takes_number(key)) {
      complain(node, fmt::format("{}: takes no number, so no range; list its values", key));
      return std::nullopt;
    }
    Handlers handlers{{"from", bound(result.from, has_from)}, {"to", bound(result.to, has_to)}};
    if (use != RangeUse::condition) {
      handlers["scale"] = [&](const YAML::Node& n) { result.logarithmic = is_logarithmic(key, n); };
    }
    if (use == RangeUse::grid) {
      handlers["points"] = [&](const YAML::Node& n) { result.points = count(n, "points", 1); };
    }
    each_word(node, key, handlers);
    if (errors_.count() > errors) return std::nullopt;
    check_range(key, node, use, result, has_from && has_to);
    return result;
  }

  void check_range(const std::string& key, const YAML::Node& node, RangeUse use, const Range& r,
                   bool complete) {
    std::string why;
    if (!complete)
      why = "a range needs from and to";
    else if (r.from > r.to)
      why = fmt::format("from ({}) lies above to ({})", r.from, r.to);
    else if (r.logarithmic && r.from <= 0)
      why = fmt::format("scale log: from must be above 0, got {}", r.from);
    else if (use == RangeUse::grid && !r.points &&
             (r.logarithmic || !config::takes_whole_number(key)))
      why = "a range in a grid needs points, how many values to take";
    if (!why.empty()) complain(node, fmt::format("{}: {}", key, why));
  }

  bool is_logarithmic(const std::string& key, const YAML::Node& node) {
    const std::string text = word_of(node);
    if (text != "linear" && text != "log") {
      complain(node, fmt::format("{}: scale: expected linear or log, got '{}'", key, text));
    }
    return text == "log";
  }

  int64_t count(const YAML::Node& node, const char* what, int64_t least) {
    const auto read = number<int64_t>(word_of(node));
    if (read && *read >= least && *read <= kMostPoints) return *read;
    complain(node, fmt::format("{}: expected a whole number from {} to {}, got '{}'", what, least,
                               kMostPoints, word_of(node)));
    return least;
  }

  void read_list(const YAML::Node& node) {
    if (!node.IsSequence())
      return complain(node, "list: expected entries like `- {inner.rate: 0.1}`");
    for (const YAML::Node& entry : node) spec_.list.push_back(overrides(entry, "list", false));
  }

  void read_random(const YAML::Node& node) {
    const size_t errors = errors_.count();
    each_word(
        node, "random",
        {{"points", [this](const YAML::Node& n) { spec_.random_points = count(n, "points", 1); }},
         {"seed", [this](const YAML::Node& n) { spec_.random_seed = count(n, "seed", 0); }},
         {"keys",
          [this](const YAML::Node& n) { spec_.random = choices(n, "keys", RangeUse::random); }}});
    if (errors_.count() == errors && (spec_.random_points == 0 || spec_.random.empty())) {
      complain(node, "random: needs points, how many to draw, and keys");
    }
  }

  void read_leave_out(const YAML::Node& node) {
    if (!node.IsSequence()) {
      return complain(node, "leave_out: expected entries like `- {inner.steps: 5}`");
    }
    for (const YAML::Node& entry : node) {
      spec_.leave_out.push_back(choices(entry, "leave_out", RangeUse::condition));
    }
  }

  void read_seeds(const YAML::Node& node) {
    if (!node.IsSequence()) {
      spec_.seed_count = count(node, "seeds", 1);
      return;
    }
    for (const YAML::Node& entry : node) {
      if (auto text = value("seed", entry)) spec_.seeds.push_back(std::move(*text));
    }
    if (node.size() == 0) complain(node, "seeds: expected at least one");
  }

  void require_varied(const std::string& key, const YAML::Node& at) {
    const auto has = [&key](const auto& all) {
      return std::ranges::any_of(all, [&key](const auto& one) { return one.key == key; });
    };
    if (has(spec_.grid) || has(spec_.random) || std::ranges::any_of(spec_.list, has)) return;
    complain(at, fmt::format("leave_out: {} is not varied here, so it leaves nothing out", key));
  }

  fs::path folder_;
  Spec spec_;
  config::YamlErrors errors_;
};

}  // namespace

Spec read_spec_file(const fs::path& file) {
  if (!fs::is_regular_file(file)) {
    throw BadInput(
        fmt::format("{}: no such file; expected a sweep's specification", file.string()));
  }
  return Reader(file).read(read_file(file));
}

}  // namespace outerloop::sweep
