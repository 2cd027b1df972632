#pragma once
// The algorithms of learner.algorithm, what each is in a line, and what a config may ask of them.

#include <algorithm>
#include <array>
#include <string_view>

namespace outerloop::config {

struct Algorithm {
  std::string_view name;
  std::string_view help = {};
  bool has_steps = false;         // adapts by inner steps
  bool has_inner_rule = false;    // its steps follow inner.optimizer and inner.weight_decay
  bool has_order = false;         // may cut the derivatives through the inner loop
  bool is_exact = false;          // can take them to second order
  bool learns_rule = false;       // can learn inner.rate and inner.weight_decay
  bool is_per_step = false;       // has parameters and losses of each step
  bool adapts_norm = false;       // may adapt norm scale and shift
  bool has_head = false;          // its network ends in a layer of its own for the answers
  bool embeds_jointly = false;    // can embed support and query as one batch
  bool only_classes = false;      // has no answers that are numbers
  bool keeps_head = false;        // its steps change all layers but the last
  bool carries_state = false;     // takes the inner optimizer's state from task to task
  bool has_support_loss = false;  // the loss of a training step is of the support's last minibatch
};

// The order is that of the help.
inline constexpr auto kAlgorithms = std::to_array<Algorithm>({
    {.name = "maml",
     .help = "an initialisation from which few gradient steps suffice",
     .has_steps = true,
     .has_inner_rule = true,
     .has_order = true,
     .is_exact = true,
     .learns_rule = true,
     .adapts_norm = true,
     .has_head = true},
    {.name = "fomaml",
     .help = "MAML without second derivatives",
     .has_steps = true,
     .has_inner_rule = true,
     .has_order = true,
     .adapts_norm = true,
     .has_head = true},
    {.name = "anil",
     .help = "MAML whose inner loop changes the last layer only",
     .has_steps = true,
     .has_inner_rule = true,
     .has_order = true,
     .is_exact = true,
     .learns_rule = true,
     .has_head = true},
    {.name = "boil",
     .help = "MAML whose inner loop changes all but the last layer",
     .has_steps = true,
     .has_inner_rule = true,
     .has_order = true,
     .is_exact = true,
     .learns_rule = true,
     .adapts_norm = true,
     .has_head = true,
     .keeps_head = true},
    {.name = "meta_sgd",
     .help = "MAML with a learned rate per parameter",
     .has_steps = true,
     .has_inner_rule = true,
     .has_order = true,
     .is_exact = true,
     .adapts_norm = true,
     .has_head = true},
    {.name = "mamlpp",
     .help = "MAML with rates and norms per step and the losses of all steps",
     .has_steps = true,
     .has_inner_rule = true,
     .has_order = true,
     .is_exact = true,
     .is_per_step = true,
     .adapts_norm = true,
     .has_head = true},
    {.name = "reptile",
     .help = "moves the initialisation towards adapted weights",
     .has_steps = true,
     .has_inner_rule = true,
     .adapts_norm = true,
     .has_head = true,
     .carries_state = true,
     .has_support_loss = true},
    {.name = "imaml",
     .help = "implicit meta-gradients of a regularised inner loop",
     .has_steps = true,
     .has_inner_rule = true,
     .adapts_norm = true,
     .has_head = true},
    {.name = "protonet",
     .help = "classes by the nearest mean of embeddings",
     .embeds_jointly = true,
     .only_classes = true},
    {.name = "r2d2",
     .help = "ridge regression on embeddings, to classes or to numbers",
     .embeds_jointly = true},
    {.name = "learned_optimizer",
     .help = "an update rule per parameter, learned through the inner loop",
     .has_steps = true,
     .has_order = true,
     .is_exact = true,
     .has_head = true},
});

// A name that is not in the list is refused when the learner is made.
constexpr Algorithm algorithm_of(std::string_view name) {
  const auto* const found = std::ranges::find(kAlgorithms, name, &Algorithm::name);
  return found == kAlgorithms.end() ? Algorithm{.name = name, .has_steps = true} : *found;
}

namespace detail {

constexpr std::string_view kBetween = ", ";

constexpr std::size_t words_length() {
  std::size_t length = 0;
  for (const Algorithm& algorithm : kAlgorithms) length += algorithm.name.size();
  return length + (kAlgorithms.size() - 1) * kBetween.size();
}

constexpr auto words_text() {
  std::array<char, words_length()> text{};
  auto* place = text.begin();
  for (const Algorithm& algorithm : kAlgorithms) {
    if (place != text.begin()) place = std::ranges::copy(kBetween, place).out;
    place = std::ranges::copy(algorithm.name, place).out;
  }
  return text;
}

inline constexpr auto kWordsText = words_text();

}  // namespace detail

// "maml, fomaml, …", as the schema lists words.
inline constexpr std::string_view kAlgorithmWords(detail::kWordsText.data(),
                                                  detail::kWordsText.size());

}  // namespace outerloop::config
