#include "cli/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <span>
#include <type_traits>

#include "outerloop/base/edit_distance.h"
#include "outerloop/base/error.h"
#include "outerloop/base/home.h"

namespace outerloop::cli {
namespace {

// Reads like a line of CLI11's own help: "INT in [1 - 1024]".
template <typename T>
CLI::Validator range_of(T low, T high) {
  const auto check = [low, high](const std::string& word) {
    T value{};
    if (CLI::detail::lexical_cast(word, value) && value >= low && value <= high)
      return std::string();
    return fmt::format("expected {} to {}, got '{}'", low, high, word);
  };
  return {check, fmt::format("{} in [{} - {}]", CLI::detail::type_name<T>(), low, high)};
}

CLI::Validator member_of(const std::vector<std::string>& words) {
  const auto check = [words](const std::string& word) {
    if (std::ranges::find(words, word) != words.end()) return std::string();
    const auto all_but_last = std::span(words).first(words.size() - 1);
    return fmt::format("expected {} or {}, got '{}'", fmt::join(all_but_last, ", "), words.back(),
                       word);
  };
  return {check, fmt::format("{{{}}}", fmt::join(words, ","))};
}

template <typename T>
struct ElementOf {
  using Type = T;
};
template <typename T>
struct ElementOf<std::vector<T>> : ElementOf<T> {};
template <typename T>
struct ElementOf<std::optional<T>> : ElementOf<T> {};

// Of each word of an option.
template <typename T>
void expect_numbers(CLI::Option& option) {
  using Number = typename ElementOf<T>::Type;
  if constexpr (std::is_arithmetic_v<Number>) {
    const auto check = [](const std::string& word) {
      Number value{};
      if (CLI::detail::lexical_cast(word, value)) return std::string();
      return fmt::format("expected a {}number, got '{}'",
                         std::is_integral_v<Number> ? "whole " : "", word);
    };
    option.check({check, ""});
  }
}

// The innermost subcommand that was named.
const CLI::App& chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? app : chosen(*commands.front());
}

// "outerloop ckpt"
std::string path_to(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : path_to(*parent) + " " + command.get_name();
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string unknown(std::string_view kind, std::string_view word, const CLI::App& command,
                    const std::vector<std::string>& known) {
  const std::string path = path_to(command);
  const std::vector<std::string_view> names(known.begin(), known.end());
  const auto nearest = nearest_word(word.substr(0, word.find('=')), names);
  return fmt::format("'{}' is no {} of `{}`; {}", word, kind, path,
                     nearest ? fmt::format("did you mean '{}'?", *nearest)
                             : fmt::format("`{} --help` lists them", path));
}

// Of the first word that has no place; empty: all have one. Options of the program go with all
// commands.
std::string misplaced_word(const CLI::App& app) {
  const CLI::App& command = chosen(app);
  for (const std::string& word : app.remaining(true)) {
    if (word.starts_with('-')) {
      std::vector<std::string> options = option_names(command);
      std::ranges::copy(option_names(app), std::back_inserter(options));
      return unknown("option", word, command, options);
    }
    std::vector<std::string> commands;
    for (const CLI::App* below : command.get_subcommands({})) commands.push_back(below->get_name());
    if (!commands.empty()) return unknown("command", word, command, commands);
    return fmt::format("'{}' is a word too many; see `{} --help`", word, path_to(command));
  }
  return {};
}

// In one line, with where help is. Options of all commands are listed by the help of the program
// alone.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const bool lacks_place = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                           dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (const std::string word = misplaced_word(app); lacks_place && !word.empty()) return word;
  std::string text = error.what();
  constexpr std::string_view kOverride = " was given a disallowed flag override";
  if (text.ends_with(kOverride)) {  // after a name without its dashes
    text = "--" + text.substr(0, text.size() - kOverride.size()) + ": expected no value";
  }
  const auto options = option_names(app);
  const bool is_of_all =
      std::ranges::any_of(options, [&](const auto& name) { return text.starts_with(name + ":"); });
  return fmt::format("{}; see `{} --help`", text, path_to(is_of_all ? app : chosen(app)));
}

// A flag with a list takes one word each time, so that the words behind it are the command's:
// "--estimands query,prior test.steps=5".
void let_lists_take_one_word(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) option->allow_extra_args(false);
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    let_lists_take_one_word(*command);
  }
}

// Shells read `~/` in a word of its own, not in `--out=~/a`. Words behind `--` are another
// program's.
std::vector<std::string> words_with_home(int argc, const char* const* argv) {
  std::vector<std::string> words(argv, argv + argc);
  for (std::string& word : words) {
    if (word == "--") break;
    const size_t value = word.find('=') + 1;
    if (!word.starts_with("--") || value == 0) continue;
    word.replace(value, word.npos, with_home(std::string_view(word).substr(value)));
  }
  return words;
}

}  // namespace

Option Option::required() {
  option_->required();
  return *this;
}
Option Option::range(int64_t low, int64_t high) {
  option_->check(range_of(low, high));
  return *this;
}
Option Option::real_range(double low, double high) {
  option_->check(range_of(low, high));
  return *this;
}
Option Option::one_of(const std::vector<std::string>& words) {
  option_->check(member_of(words));
  return *this;
}
Option Option::expected(int count) {
  option_->expected(count);
  return *this;
}
Option Option::expected(int least, int most) {
  option_->expected(least, most);
  return *this;
}
Option Option::delimiter(char between) {
  option_->delimiter(between);
  return *this;
}
Option Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}
Option Option::group(const std::string& name) {
  option_->group(name);
  return *this;
}
Option Option::capture_default_str() {
  option_->capture_default_str();
  return *this;
}
Option Option::default_str(const std::string& text) {
  option_->default_str(text);
  return *this;
}
size_t Option::count() const {
  return option_->count();
}

Command Command::add_subcommand(const std::string& name, const std::string& help) {
  return Command(app_->add_subcommand(name, help));
}
void Command::require_subcommand() {
  app_->require_subcommand(1);
}
bool Command::has_subcommand() const {
  return !app_->get_subcommands().empty();
}

template <typename T>
Option Command::add_option(const std::string& names, T& value, const std::string& help) {
  CLI::Option* option = app_->add_option(names, value, help);
  expect_numbers<T>(*option);
  return Option(option);
}
template Option Command::add_option(const std::string&, double&, const std::string&);
template Option Command::add_option(const std::string&, int&, const std::string&);
template Option Command::add_option(const std::string&, int64_t&, const std::string&);
template Option Command::add_option(const std::string&, std::filesystem::path&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<double>&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<int64_t>&,
                                    const std::string&);
template Option Command::add_option(const std::string&, std::optional<std::string>&,
                                    const std::string&);
template Option Command::add_option(const std::string&, std::optional<uint64_t>&,
                                    const std::string&);
template Option Command::add_option(const std::string&, std::string&, const std::string&);
template Option Command::add_option(const std::string&, std::vector<double>&, const std::string&);
template Option Command::add_option(const std::string&, std::vector<int64_t>&, const std::string&);
template Option Command::add_option(const std::string&, std::vector<std::filesystem::path>&,
                                    const std::string&);
template Option Command::add_option(const std::string&, std::vector<std::string>&,
                                    const std::string&);
template Option Command::add_option(const std::string&, uint64_t&, const std::string&);

Option Command::add_option_function(const std::string& name,
                                    const std::function<void(const std::string&)>& read,
                                    const std::string& help) {
  return Option(app_->add_option_function<std::string>(name, read, help));
}
Option Command::add_flag(const std::string& names, bool& value, const std::string& help) {
  return Option(app_->add_flag(names, value, help)->disable_flag_override());
}
void Command::remove_help_flag() {
  app_->set_help_flag();
}
void Command::footer(const std::string& text) {
  app_->footer(text);
}
void Command::callback(std::function<void()> called) {
  app_->callback(std::move(called));
}
std::string Command::help() const {
  return app_->help("outerloop");
}

CommandLine::CommandLine(const std::string& name, const std::string& help,
                         std::function<std::string()> version)
    : app_(std::make_unique<CLI::App>(help, name)) {
  app_->require_subcommand(1);
  app_->set_version_flag("--version", std::move(version));
  app_->fallthrough();
}
CommandLine::~CommandLine() = default;

Command CommandLine::root() {
  return Command(app_.get());
}

bool CommandLine::read(int argc, const char* const* argv) {
  let_lists_take_one_word(*app_);
  const std::vector<std::string> words = words_with_home(argc, argv);
  std::vector<const char*> given;
  for (const std::string& word : words) given.push_back(word.c_str());
  try {
    app_->parse(argc, given.data());
  } catch (const CLI::ParseError& error) {
    // Help and version come as "errors" with exit code 0.
    if (error.get_exit_code() == 0) {
      app_->exit(error);
      return false;
    }
    throw BadInput(explain(*app_, error));
  }
  return true;
}

}  // namespace outerloop::cli
