#include "outerloop/interp/shapley.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "interp/cholesky.h"
#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

namespace {

// C(n, k) for the few players of a table.
double choose(size_t n, size_t k) {
  double result = 1;
  for (size_t i = 1; i <= k; ++i) {
    result = result * static_cast<double>(n - k + i) / static_cast<double>(i);
  }
  return result;
}

uint64_t bit(size_t player) {
  return uint64_t{1} << player;
}

bool holds(uint64_t members, size_t player) {
  return (members & bit(player)) != 0;
}

}  // namespace

size_t players_of(std::span<const double> value_table) {
  if (value_table.size() < 2 || !std::has_single_bit(value_table.size())) {
    throw BadInput(
        fmt::format("a table of coalitions has 2^players values, got {}", value_table.size()));
  }
  return static_cast<size_t>(std::countr_zero(value_table.size()));
}

std::vector<double> exact_shapley(std::span<const double> value_table) {
  const size_t players = players_of(value_table);
  std::vector<double> weight_by_size(players);  // s! (M - s - 1)! / M!
  for (size_t size = 0; size < players; ++size) {
    weight_by_size[size] = 1 / (static_cast<double>(players) * choose(players - 1, size));
  }
  std::vector<double> result;
  std::vector<double> terms;
  for (size_t j = 0; j < players; ++j) {
    terms.clear();
    for (uint64_t members = 0; members < value_table.size(); ++members) {
      if (holds(members, j)) continue;
      const auto size = static_cast<size_t>(std::popcount(members));
      terms.push_back(weight_by_size[size] *
                      (value_table[members | bit(j)] - value_table[members]));
    }
    result.push_back(pairwise_sum(terms));
  }
  return result;
}

std::vector<double> shapley_kernel(size_t players) {
  std::vector<double> weights;
  for (size_t size = 1; size < players; ++size) {
    weights.push_back(static_cast<double>(players - 1) /
                      (choose(players, size) * static_cast<double>(size * (players - size))));
  }
  return weights;
}

std::vector<double> kernel_shapley(size_t players, std::span<const Coalition> coalitions,
                                   double none, double full) {
  if (players < 1 || players > 64) {
    throw BadInput(fmt::format("kernel Shapley values take 1 to 64 players, got {}", players));
  }
  if (players == 1) return {full - none};
  // The last player's value is what is left of full - none.
  const size_t last = players - 1;
  const double total = full - none;
  std::vector<double> gram(last * last);
  std::vector<double> values(last);
  std::vector<double> row(last);
  for (const auto& [members, value, weight] : coalitions) {
    const bool with_last = holds(members, last);
    for (size_t j = 0; j < last; ++j) {
      row[j] = (holds(members, j) ? 1.0 : 0.0) - (with_last ? 1.0 : 0.0);
    }
    const double target = value - none - (with_last ? total : 0.0);
    for (size_t j = 0; j < last; ++j) {
      values[j] += weight * row[j] * target;
      for (size_t k = 0; k <= j; ++k) gram[j * last + k] += weight * row[j] * row[k];
    }
  }
  if (!solve_spd<double>(gram, values)) {
    throw BadInput(fmt::format("{} coalitions do not determine the values of {} players",
                               coalitions.size(), players));
  }
  values.push_back(total - pairwise_sum(values));
  return values;
}

std::vector<double> kernel_shapley(std::span<const double> value_table) {
  const size_t players = players_of(value_table);
  const std::vector<double> kernel = shapley_kernel(players);
  std::vector<Coalition> coalitions;
  for (uint64_t members = 1; members + 1 < value_table.size(); ++members) {
    const auto size = static_cast<size_t>(std::popcount(members));
    coalitions.push_back({members, value_table[members], kernel[size - 1]});
  }
  return kernel_shapley(players, coalitions, value_table.front(), value_table.back());
}

namespace {

void check_order(const Order& order, size_t players) {
  Order sorted = order;
  std::ranges::sort(sorted);
  bool holds_each = sorted.size() == players;
  for (size_t j = 0; holds_each && j < players; ++j) holds_each = sorted[j] == j;
  if (!holds_each) {
    throw BadInput(fmt::format("an order must hold each of {} players once", players));
  }
}

}  // namespace

std::vector<double> permutation_shapley(const CoalitionValue& value,
                                        std::span<const Order> orders) {
  if (orders.empty() || orders.front().empty() || orders.front().size() > 64) {
    throw BadInput("permutation Shapley values need an order of 1 to 64 players");
  }
  const size_t players = orders.front().size();
  std::vector<std::vector<double>> gains(players);
  for (const Order& order : orders) {
    check_order(order, players);
    uint64_t members = 0;
    double before = value(members);
    for (const uint32_t player : order) {
      members |= bit(player);
      const double after = value(members);
      gains[player].push_back(after - before);
      before = after;
    }
  }
  std::vector<double> means;
  for (const auto& of_player : gains) means.push_back(mean_of(of_player));
  return means;
}

std::vector<Order> with_reversed(std::span<const Order> orders) {
  std::vector<Order> result;
  for (const Order& order : orders) {
    result.push_back(order);
    result.emplace_back(order.rbegin(), order.rend());
  }
  return result;
}

std::vector<Order> all_orders(size_t players) {
  constexpr size_t kMostPlayers = 8;
  if (players > kMostPlayers) {
    throw BadInput(
        fmt::format("all orders are listed for at most {} players, got {}", kMostPlayers, players));
  }
  Order order(players);
  std::iota(order.begin(), order.end(), 0);
  std::vector<Order> result;
  do {
    result.push_back(order);
  } while (std::ranges::next_permutation(order).found);
  return result;
}

}  // namespace outerloop::interp
