#include "cli/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>

#include "outerloop/base/edit_distance.h"
#include "outerloop/base/error.h"

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

// The subcommand nearest to a first word that is none.
std::string suggestion(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return {};
  std::vector<std::string_view> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::ranges::find(names, argv[1]) != names.end()) return {};
  const auto nearest = nearest_word(argv[1], names);
  return fmt::format(
      "'{}' is no command{}", argv[1],
      nearest ? fmt::format("; did you mean '{}'?", *nearest) : "; `outerloop --help` lists them");
}

// The innermost subcommand that was named, for the hint at its help.
std::string command_path(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  const std::string own = app.get_name();
  return chosen.empty() ? own : own + " " + command_path(*chosen.front());
}

// Options of all commands are listed by the help of the program alone.
std::string help_for(const CLI::App& app, const std::string& message) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    if (!name.empty() && message.starts_with(name + ":")) return app.get_name();
  }
  return command_path(app);
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
  return Option(app_->add_option(names, value, help));
}
template Option Command::add_option(const std::string&, double&, const std::string&);
template Option Command::add_option(const std::string&, int&, const std::string&);
template Option Command::add_option(const std::string&, int64_t&, const std::string&);
template Option Command::add_option(const std::string&, std::filesystem::path&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<double>&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<int64_t>&,
                                    const std::string&);
template Option Command::add_option(const std::string&, std::optional<int>&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<std::string>&,
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
                                    std::function<void(const std::string&)> read,
                                    const std::string& help) {
  return Option(app_->add_option_function<std::string>(
      name,
      [name, read = std::move(read)](const std::string& word) {
        try {
          read(word);
        } catch (const BadInput& error) {
          throw CLI::ValidationError(name, error.what());
        }
      },
      help));
}
Option Command::add_flag(const std::string& names, bool& value, const std::string& help) {
  return Option(app_->add_flag(names, value, help));
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
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version come as "errors" with exit code 0.
    if (error.get_exit_code() == 0) {
      app_->exit(error);
      return false;
    }
    const std::string better = suggestion(*app_, argc, argv);
    if (!better.empty()) throw BadInput(better);
    throw BadInput(fmt::format("{}; see `{} --help`", error.what(), help_for(*app_, error.what())));
  }
  return true;
}

}  // namespace outerloop::cli
