#pragma once
// Shapley values of a game of M players: a coalition is a set of bits (bit j: player j is in it),
// its value a number. Values of all players sum to value(all) - value(none).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace outerloop::interp {

// Values of all 2^M coalitions in the order of their bits.
// Throws BadInput unless there are 2^M of them with M >= 1.
size_t players_of(std::span<const double> value_table);

// The definition (Shapley 1953): the sum over coalitions S without j of
// |S|! (M - |S| - 1)! / M! (v(S + j) - v(S)).
std::vector<double> exact_shapley(std::span<const double> value_table);

// Weight of each coalition of size 1 … M-1: (M - 1) / (C(M, k) k (M - k)) (Lundberg and Lee 2017).
std::vector<double> shapley_kernel(size_t players);

struct Coalition {
  uint64_t members = 0;
  double value = 0;
  double weight = 0;
};

// Weighted least squares: minimises sum w (v(none) + sum of its members' values - value)^2 under
// the constraint that all values sum to full - none (eliminated, so exact). Throws BadInput when
// the coalitions do not determine the values.
std::vector<double> kernel_shapley(size_t players, std::span<const Coalition> coalitions,
                                   double none, double full);
// The same over all coalitions with the Shapley kernel: equal to exact_shapley up to rounding.
std::vector<double> kernel_shapley(std::span<const double> value_table);

// Mean over orders of what each player adds when the players enter in that order. Each order holds
// every player once, else BadInput.
using CoalitionValue = std::function<double(uint64_t members)>;
using Order = std::vector<uint32_t>;
std::vector<double> permutation_shapley(const CoalitionValue& value, std::span<const Order> orders);
// The orders and, after each, its reverse: exact for games of second order.
std::vector<Order> with_reversed(std::span<const Order> orders);
// All M! orders. At most 8 players.
std::vector<Order> all_orders(size_t players);

}  // namespace outerloop::interp
