#include "outerloop/interp/findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

constexpr FindingKind kKinds[] = {
    {"prior", "Before adaptation", "What the prior reads: queries permuted, no inner step taken.",
     "before any step, the group's values change rows among the queries"},
    {"query", "After adaptation", "What the adapted model reads: queries permuted.",
     "after adaptation, the group's values change rows among the queries"},
    {"support", "In the support set", "What adaptation learns from: support permuted.",
     "the group's values change rows in the support set, and the learner adapts to that"},
    {"support_query", "In both", "What a group is worth in all: support and query permuted apart.",
     "they change rows in both sets, by draws of their own and never from one set to the other"},
    {"drop", "Left out", "What a group is worth when it is replaced by its mean in both sets.",
     "the group stands at its mean over training tasks in both sets; nothing is drawn"},
    {"across", "From other tasks", "Values from other tasks' queries: task-level inputs show here.",
     "the queries have the group's values of queries of other tasks"},
    {"labels", "Where adaptation reads", "Support labels permuted at the points of a place.",
     "support points in the place have labels of support points anywhere in the task, and the "
     "learner adapts to that"},
    {"adaptation", "Added by adaptation", "After less before adaptation, task by task.",
     "query less prior, task by task"},
    {"interaction", "Interaction", "Support and query together say less than apart, where above 0.",
     "support and query less support_query, task by task"},
    {"shapley_support", "Share of the support", "Shapley share of the total worth.",
     "the Shapley share of the support set in support_query"},
    {"shapley_query", "Share of the queries", "Shapley share of the total worth.",
     "the Shapley share of the queries in support_query"},
};

}  // namespace

std::span<const FindingKind> finding_kinds() {
  return kKinds;
}

const FindingKind& finding_kind(std::string_view name) {
  const auto* found = std::ranges::find(kKinds, name, &FindingKind::name);
  OL_ASSERT(found != std::end(kKinds), fmt::format("no finding '{}'", name));
  return *found;
}

}  // namespace outerloop::interp
