#pragma once
// The command line, read by CLI11. Its header takes many seconds to compile, so command_line.cpp
// alone includes it. What has a name of CLI11's means the same.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace outerloop::cli {

// A flag, or a word at a place of its own. A handle: copies are of the same one.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option required();
  Option range(int64_t low, int64_t high);
  Option real_range(double low, double high);
  Option one_of(const std::vector<std::string>& words);
  Option expected(int count);  // words after it
  Option expected(int least, int most);
  Option delimiter(char between);  // of the parts of one word
  Option type_name(const std::string& name);
  Option group(const std::string& name);  // a heading of the help
  Option capture_default_str();           // the help shows the variable's value
  Option default_str(const std::string& text);

  size_t count() const;  // how often it was given

 private:
  CLI::Option* option_;
};

// The program or a subcommand. A handle too. Variables must live until the words are read.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  Command add_subcommand(const std::string& name, const std::string& help);
  // One of its subcommands must follow.
  void require_subcommand();
  bool has_subcommand() const;  // one was given

  // `names`: "--tasks", "-j,--jobs" or "CONFIG". For strings, paths and numbers, optional ones
  // and vectors of them.
  template <typename T>
  Option add_option(const std::string& names, T& value, const std::string& help);
  Option add_option_function(const std::string& name,
                             const std::function<void(const std::string&)>& read,
                             const std::string& help);
  Option add_flag(const std::string& names, bool& value, const std::string& help);
  void remove_help_flag();

  void footer(const std::string& text);  // of its help
  // When all words are read and right.
  void callback(std::function<void()> called);
  std::string help() const;

 private:
  CLI::App* app_;
};

class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& help,
              std::function<std::string()> version);
  ~CommandLine();

  Command root();

  // Reads the words and calls back the subcommand that they name. False: they asked for help or
  // version, which was printed. Throws BadInput with what is wrong and where help is.
  bool read(int argc, const char* const* argv);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace outerloop::cli
