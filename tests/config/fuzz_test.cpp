// Damaged configs: whatever comes, the reader takes it or says what is wrong.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "outerloop/base/atomic_file.h"
#include "outerloop/config/print.h"

namespace outerloop::config {
namespace {

constexpr std::string_view kScraps[] = {
    "[",      "]",    "{",      "}",   ":",      ": ",     "- ",
    "\n",     "\n  ", "\t",     "&a ", "*a",     "!!",     "!!int ",
    "|",      ">",    "'",      "\"",  "#",      "---\n",  "...",
    "<<: *a", "? ",   "010",    "0x1", "1e9",    "-1",     "~",
    "no",     "true", ".inf",   "\0",  "\xff",   "\x7f",   "%",
    "@",      "`",    "\\x0",   "\r",  "[[[[[[", "{{{{{{", "99999999999999999999",
    "seed",   "ä",    "inner:", "= ",  ",",      "- - - -"};

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::string mutate(std::string text) {
    for (std::size_t change = 1 + below(4); change > 0; --change) {
      const std::size_t place = below(text.size() + 1);
      const std::size_t length = std::min(text.size() - place, below(20));
      switch (below(5)) {
        case 0:
          text.insert(place, kScraps[below(std::size(kScraps))]);
          break;
        case 1:
          text.erase(place, length);
          break;
        case 2:
          text.insert(below(text.size() + 1), text.substr(place, length));
          break;
        case 3:
          if (place < text.size()) text[place] = static_cast<char>(below(256));
          break;
        case 4:
          text.resize(place);
          break;
      }
    }
    return text;
  }

  std::size_t below(std::size_t limit) { return random_() % limit; }

 private:
  std::mt19937 random_;
};

// True if the config was taken; then its YAML reads back to itself.
bool try_to_read(const std::string& text, const std::vector<std::string>& words) {
  Resolved resolved;
  try {
    resolved = read_config_text(text, "fuzz.yaml", words);
  } catch (const BadInput& refused) {
    EXPECT_FALSE(std::string_view(refused.what()).empty());
    return false;
  }
  const std::string yaml = to_yaml(resolved.config);
  EXPECT_EQ(to_yaml(read_config_text(yaml, "fuzz.yaml").config), yaml) << text;
  return true;
}

std::vector<std::string> seeds() {
  std::vector<std::string> texts{to_yaml(Config{}), "inner: &a {steps: 5}\nouter: *a\n"};
  for (const auto& file : std::filesystem::directory_iterator(OUTERLOOP_SOURCE_DIR "/configs")) {
    if (file.path().extension() == ".yaml") texts.push_back(read_file(file.path()));
  }
  return texts;
}

TEST(FuzzConfig, RefusesOrTakesDamagedFiles) {
  const std::vector<std::string> texts = seeds();
  Mutator mutator(1);
  int taken = 0;
  constexpr int kTrials = 1500;
  for (int i = 0; i < kTrials; ++i) {
    taken += try_to_read(mutator.mutate(texts[mutator.below(texts.size())]), {});
  }
  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, kTrials);
}

TEST(FuzzConfig, RefusesOrTakesDamagedWords) {
  const std::vector<std::string> words{"model.hidden=[40, 40]",    "seed=1",
                                       "inner.rate=0.01",          "outer.clip_norm=none",
                                       "run_dir=runs/x",           "learner.algorithm=maml",
                                       "tasks.sinusoid.x=[-5, 5]", "model.bias=true"};
  Mutator mutator(2);
  int taken = 0;
  constexpr int kTrials = 3000;
  for (int i = 0; i < kTrials; ++i) {
    taken += try_to_read("", {mutator.mutate(words[mutator.below(words.size())])});
  }
  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, kTrials);
}

TEST(FuzzConfig, RefusesDeepNesting) {
  for (const char* opening : {"[", "{a: ", "- ", "? ", "inner: {"}) {
    std::string text;
    for (int i = 0; i < 20000; ++i) text += opening;
    EXPECT_FALSE(try_to_read(text, {})) << opening;
  }
}

TEST(FuzzConfig, RefusesAliasesThatMultiply) {
  std::string text = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 60; ++i) {
    text += fmt::format("a{0}: &a{0} [*a{1}, *a{1}]\n", i, i - 1);
  }
  EXPECT_FALSE(try_to_read(text + "model: {hidden: *a59}\n", {}));
}

}  // namespace
}  // namespace outerloop::config
