#include "outerloop/config/read.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "config/value.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/config/schema.h"
#include "outerloop/config/suggest.h"
#include "outerloop/config/yaml_errors.h"

namespace outerloop::config {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;

std::size_t number_of(const Key& key) {
  return static_cast<std::size_t>(&key - schema().data());
}

std::size_t number_of(std::string_view path) {
  const Key* key = find_key(path);
  OL_ASSERT(key != nullptr, fmt::format("no key '{}'", path));
  return number_of(*key);
}

// What set a key, later ones over earlier ones. A stored config sets none: it holds all.
enum class Source { none, file, words };

// Reads keys from both sources into one config and collects what is wrong.
class ConfigReader {
 public:
  explicit ConfigReader(std::string_view file_name) : errors_(file_name) {
    result_.origins.assign(schema().size(), "default");
    sources_.assign(schema().size(), Source::none);
  }

  void read_yaml(std::string_view text) {
    const bool to_its_end = errors_.read(std::string(text), [this](const YAML::Node& document) {
      if (document.IsNull()) return;
      if (!document.IsMap()) {
        gave_up_ = true;
        return errors_.add(errors_.place(document.Mark()), "expected `key: value` lines");
      }
      read_map(document, "");
      if (is_stored_config()) std::ranges::fill(sources_, Source::none);
    });
    gave_up_ |= !to_its_end;
  }

  void read_word(int number, std::string_view word) {
    const std::string origin = fmt::format("command line: word {}", number);
    const auto equals = word.find('=');
    const std::string_view path = word.substr(0, equals);
    if (equals == word.npos || equals == 0) {
      return refuse(path, origin, fmt::format("expected key=value, got '{}'", word));
    }
    const Key* key = find_key(path);
    if (key == nullptr && is_section(path)) {
      return refuse(path, origin,
                    fmt::format("'{}' is a section; name a key in it, such as {}", path,
                                keys_of_section(path).front()));
    }
    if (key == nullptr) return refuse_unknown(path, origin);
    if (given_before(path, origin, words_)) return;
    take(*key, parse_word(*key, word.substr(equals + 1)), origin, Source::words);
  }

  Resolved finish() {
    if (!gave_up_) check_together();
    errors_.raise();
    return std::move(result_);
  }

  std::vector<std::string> idle_words() const {
    std::vector<std::string> keys;
    if (errors_.count() > 0) return keys;
    for (const Complaint& complaint : cross_check(result_.config)) {
      const bool of_words = source_of(complaint.key) == Source::words &&
                            source_of(complaint.causes.front()) == Source::words;
      if (complaint.is_idle && of_words) keys.push_back(complaint.key);
    }
    return keys;
  }

  Config& config() { return result_.config; }

 private:
  // About a key or section, of which no more is said.
  void refuse(std::string_view path, const std::string& origin, std::string_view text) {
    refused_.emplace_back(path);
    errors_.add(origin, text);
  }

  void refuse_unknown(std::string_view path, const std::string& origin) {
    for (const std::string_view meant : likely_meant(path)) refused_.emplace_back(meant);
    errors_.add(origin, unknown_key(path));
  }

  // Complains about a second `path` in the same source.
  bool given_before(std::string_view path, const std::string& origin, YamlErrors::Places& seen) {
    const bool is_second = errors_.given_before(path, origin, seen);
    if (is_second) refused_.emplace_back(path);
    return is_second;
  }

  // Sections nest as deep as the schema, whatever the file holds.
  void read_map(const YAML::Node& map, const std::string& prefix) {
    for (const auto& entry : map) {
      const YAML::Node& name = entry.first;
      const std::string origin = errors_.place(name.Mark());
      if (!name.IsScalar()) {
        errors_.add(origin, "expected the name of a key");
        continue;
      }
      const std::string path = prefix + name.Scalar();
      const Key* key = find_key(path);
      if (key == nullptr && !is_section(path)) {
        refuse_unknown(path, origin);
      } else if (!given_before(path, origin, lines_)) {
        key != nullptr ? read_value(*key, entry.second, origin)
                       : read_section(entry.second, path, origin);
      }
    }
  }

  void read_section(const YAML::Node& node, const std::string& path, const std::string& origin) {
    if (node.IsMap()) return read_map(node, path + ".");
    if (node.IsNull()) return;
    refuse(path, origin,
           fmt::format("'{}' is a section; write its keys indented below it: {}", path,
                       fmt::join(keys_of_section(path), ", ")));
  }

  void read_value(const Key& key, const YAML::Node& node, const std::string& name_origin) {
    const std::string origin = node.IsNull() ? name_origin : errors_.place(node.Mark());
    if (node.IsMap()) {
      return refuse(key.path, origin,
                    fmt::format("{}: expected {}, got keys", key.path, expectation(key)));
    }
    RawValue value = raw_scalar(node);
    if (node.IsSequence()) {
      value.kind = RawValue::Kind::list;
      for (const YAML::Node& element : node) value.elements.push_back(raw_scalar(element));
    }
    take(key, value, origin, Source::file);
  }

  // Anything but a scalar, and scalars with a tag of their own (!!int), become Kind::none.
  static RawValue raw_scalar(const YAML::Node& node) {
    RawValue value;
    value.kind = RawValue::Kind::none;
    if (!node.IsScalar()) return value;
    std::string tag = node.Tag();
    if (tag != "?" && tag != "!") {
      constexpr std::string_view kStandard = "tag:yaml.org,2002:";  // written as !!
      if (tag.starts_with(kStandard)) tag.replace(0, kStandard.size(), "!!");
      value.text = fmt::format("{} {}", tag, node.Scalar());
      return value;
    }
    value.kind = RawValue::Kind::scalar;
    value.text = node.Scalar();
    value.quoted = tag == "!";
    return value;
  }

  void take(const Key& key, const RawValue& value, const std::string& origin, Source source) {
    if (const auto refusal = assign(key, value, result_.config)) {
      return refuse(key.path, origin, fmt::format("{}: {}", key.path, *refusal));
    }
    result_.origins[number_of(key)] = origin;
    sources_[number_of(key)] = source;
  }

  // Whether the file holds every key, as those in checkpoints and run folders do. Of its values
  // nobody can tell which were wished for.
  bool is_stored_config() const {
    return std::ranges::all_of(schema(), [this](const Key& key) {
      return !key.changes_results || key.newer || lines_.contains(key.path);
    });
  }

  Source source_of(std::string_view path) const { return sources_[number_of(path)]; }

  void check_together() {
    for (const Complaint& complaint : cross_check(result_.config)) {
      if (!is_about_refused(complaint) && !is_pardoned(complaint)) complain_of(complaint);
    }
  }

  // What a refused value would have been is not known.
  bool is_about_refused(const Complaint& complaint) const {
    const auto is_refused = [this](std::string_view path) {
      return std::ranges::any_of(refused_, [path](std::string_view refused) {
        return path.starts_with(refused) &&
               (path.size() == refused.size() || path[refused.size()] == '.');
      });
    };
    return is_refused(complaint.key) || std::ranges::any_of(complaint.causes, is_refused);
  }

  // A key that lost its effect by what was set after it, or a harmless one of a stored config.
  bool is_pardoned(const Complaint& complaint) const {
    const Source source = source_of(complaint.key);
    if (complaint.is_harmless && source == Source::none) return true;
    if (!complaint.is_idle) return false;
    return source == Source::none || source < source_of(complaint.causes.front());
  }

  // At the place of the key that was set last.
  void complain_of(const Complaint& complaint) {
    std::vector<std::string_view> keys{complaint.key};
    keys.insert(keys.end(), complaint.causes.begin(), complaint.causes.end());
    const auto time = [this](std::string_view path) {
      return std::pair(source_of(path), result_.origins[number_of(path)] != "default");
    };
    const std::string_view last = *std::ranges::max_element(keys, {}, time);
    const std::string& origin = result_.origins[number_of(last)];
    const std::string_view other = source_of(complaint.key) == Source::file && last != complaint.key
                                       ? result_.origins[number_of(complaint.key)]
                                       : std::string_view{};
    errors_.add(
        origin == "default" ? errors_.file() : origin,
        fmt::format("{}: {}{}", complaint.key, complaint.text,
                    other.empty() ? "" : fmt::format(" ({} is set at {})", complaint.key, other)));
  }

  YamlErrors errors_;
  Resolved result_;
  std::vector<Source> sources_;       // by place in schema()
  std::vector<std::string> refused_;  // keys and sections
  bool gave_up_ = false;
  YamlErrors::Places lines_;  // where the file has which key
  YamlErrors::Places words_;  // the same for the command line
};

Resolved read(std::string_view text, std::string_view name, const std::filesystem::path& folder,
              std::string_view stem, std::span<const std::string> overrides) {
  if (text.size() > kLargestFile) {
    throw ConfigErrors({fmt::format("{}: is no config: larger than {} bytes", name, kLargestFile)});
  }
  ConfigReader reader(name);
  reader.read_yaml(text);
  int number = 0;
  for (const std::string& word : overrides) reader.read_word(++number, word);
  Config& config = reader.config();
  if (config.run_dir.empty()) config.run_dir = fmt::format("runs/{}-seed{}", stem, config.seed);
  Resolved resolved = reader.finish();
  resolved.folder = folder;
  return resolved;
}

// The config.yaml of a run means the run that it lies in: what it stores is where that was begun,
// seen from another folder maybe, and the run may have been moved or copied since.
void stay_in_run(const std::filesystem::path& file, Resolved& resolved) {
  const std::filesystem::path folder = folder_of(file);
  if (file.filename() != "config.yaml" || !is_run_folder(folder)) return;
  resolved.run = folder;
  std::string& origin = resolved.origins[number_of("run_dir")];
  if (!origin.starts_with(file.string() + ":")) return;
  std::error_code error;
  if (std::filesystem::equivalent(resolved.config.run_dir, folder, error)) return;
  resolved.config.run_dir = folder.string();
  origin = fmt::format("the folder of {}", file.string());
}

}  // namespace

bool is_run_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::path manifest = folder / "manifest.json";
  return std::filesystem::is_regular_file(folder / "config.yaml", error) &&
         std::filesystem::is_directory(folder / "ckpt", error) &&
         std::filesystem::is_regular_file(manifest, error) &&
         read_file(manifest).find("\"config_hash\"") != std::string::npos;
}

ConfigErrors::ConfigErrors(std::vector<std::string> lines)
    : BadInput(fmt::format("{}", fmt::join(lines, "\n"))), lines_(std::move(lines)) {}

Resolved read_config(const std::filesystem::path& file, std::span<const std::string> overrides) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    const bool is_run = std::filesystem::exists(file / "config.yaml", error);
    throw ConfigErrors({fmt::format("{}: is a folder; name a config file{}", file.string(),
                                    is_run ? ", such as its config.yaml" : "")});
  }
  if (!std::filesystem::is_regular_file(file, error)) {
    throw ConfigErrors({fmt::format("{}: no such config file", file.string())});
  }
  Resolved resolved =
      read(read_file(file), file.string(), file.parent_path(), file.stem().string(), overrides);
  stay_in_run(file, resolved);
  return resolved;
}

std::optional<std::string> refusal_of_word(std::string_view word) {
  const auto equals = word.find('=');
  const Key* key = find_key(word.substr(0, equals));
  if (key == nullptr || equals == word.npos) return std::nullopt;
  Config scratch;
  const auto refusal = assign(*key, parse_word(*key, word.substr(equals + 1)), scratch);
  return refusal ? std::optional(fmt::format("{}: {}", key->path, *refusal)) : std::nullopt;
}

std::vector<std::string> idle_words(std::string_view text, std::span<const std::string> words) {
  ConfigReader reader("");
  reader.read_yaml(text);
  int number = 0;
  for (const std::string& word : words) reader.read_word(++number, word);
  return reader.idle_words();
}

Resolved read_config_text(std::string_view text, std::string_view name,
                          std::span<const std::string> overrides) {
  return read(text, name, {}, std::filesystem::path(name).stem().string(), overrides);
}

}  // namespace outerloop::config
