#include "outerloop/config/yaml_errors.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <optional>
#include <sstream>
#include <utility>

#include "outerloop/config/read.h"
#include "outerloop/config/suggest.h"

namespace outerloop::config {
namespace {

// Looks at the structure alone.
class DocumentMarks : public YAML::EventHandler {
 public:
  std::vector<YAML::Mark> starts;

  void OnDocumentStart(const YAML::Mark& mark) override { starts.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// Where a second document begins, which YAML::Load would ignore. YAML::LoadAll is no way to find
// it: on some damaged files yaml-cpp 0.7 gives documents without end.
std::optional<YAML::Mark> second_document(std::string_view text) {
  std::istringstream in{std::string(text)};
  YAML::Parser parser(in);
  DocumentMarks marks;
  parser.HandleNextDocument(marks);
  if (!parser.HandleNextDocument(marks) || marks.starts.size() < 2) return std::nullopt;
  return marks.starts[1];
}

}  // namespace

// yaml-cpp counts lines and columns from 0.
std::string YamlErrors::place(const YAML::Mark& mark) const {
  if (mark.is_null()) return file_;
  return fmt::format("{}:{}:{}", file_, mark.line + 1, mark.column + 1);
}

void YamlErrors::add(std::string_view origin, std::string_view text) {
  lines_.push_back(fmt::format("{}: {}", origin, text));
}

bool YamlErrors::read(const std::string& text, const std::function<void(const YAML::Node&)>& take) {
  try {
    if (const auto second = second_document(text)) {
      add(place(*second), "expected one YAML document, here begins another");
      return false;
    }
    take(YAML::Load(text));
    return true;
  } catch (const YAML::Exception& error) {
    add(place(error.mark), not_yaml(text, error.mark.line, error.msg));
    return false;
  }
}

bool YamlErrors::given_before(std::string_view name, std::string_view origin, Places& seen) {
  const auto [earlier, is_new] = seen.emplace(name, origin);
  if (!is_new) {
    add(origin, fmt::format("'{}' is given twice, first at {}; remove one", name, earlier->second));
  }
  return !is_new;
}

void YamlErrors::raise() {
  if (!lines_.empty()) throw ConfigErrors(std::move(lines_));
}

}  // namespace outerloop::config
