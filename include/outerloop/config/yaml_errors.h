#pragma once
// What is wrong with a YAML file and the words over it, with places, for all that read such files.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace YAML {
struct Mark;
class Node;
}  // namespace YAML

namespace outerloop::config {

class YamlErrors {
 public:
  using Places = std::map<std::string, std::string, std::less<>>;  // by name

  explicit YamlErrors(std::string_view file) : file_(file) {}

  const std::string& file() const { return file_; }
  // FILE:LINE:COLUMN, or FILE where the mark is none.
  std::string place(const YAML::Mark& mark) const;
  void add(std::string_view origin, std::string_view text);

  // Gives `take` the only document of the text. False where it is no YAML or has more than one,
  // which is then an error.
  bool read(const std::string& text, const std::function<void(const YAML::Node&)>& take);
  // Whether the name was given before, which is then an error. Remembers it.
  bool given_before(std::string_view name, std::string_view origin, Places& seen);

  size_t count() const { return lines_.size(); }
  // Throws ConfigErrors if there are any.
  void raise();

 private:
  std::string file_;
  std::vector<std::string> lines_;
};

}  // namespace outerloop::config
