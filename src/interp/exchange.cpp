#include "outerloop/interp/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/interp/numpy_random.h"

namespace outerloop::interp {

namespace {

void check_draws(size_t rows, size_t samples, size_t repeats) {
  if (samples >= 1 && samples <= rows && rows <= UINT32_MAX && repeats >= 1) return;
  throw BadInput(
      fmt::format("permutation importance needs 1 to {} rows and a repeat, got {} "
                  "rows and {} repeats",
                  rows, samples, repeats));
}

std::vector<uint32_t> places_from_0(size_t count) {
  std::vector<uint32_t> places(count);
  std::iota(places.begin(), places.end(), 0);
  return places;
}

// Rows that may give to each other, in order of their classes; without classes all of them.
std::vector<std::vector<uint32_t>> pools(std::span<const uint32_t> rows, size_t table_rows,
                                         std::span<const double> classes) {
  if (!classes.empty() && classes.size() != table_rows) {
    throw BadInput(fmt::format("donors within classes need a class per row, got {} for {} rows",
                               classes.size(), table_rows));
  }
  std::map<double, std::vector<uint32_t>> by_class;
  for (uint32_t place = 0; place < rows.size(); ++place) {
    by_class[classes.empty() ? 0 : classes[rows[place]]].push_back(place);
  }
  std::vector<std::vector<uint32_t>> result;
  for (auto& [label, places] : by_class) result.push_back(std::move(places));
  return result;
}

// Streams of a task: its rows, then its repeats.
Philox stream(const KeyedDraws& draws, size_t slot) {
  return Philox({.seed = draws.seed,
                 .purpose = Purpose::importance,
                 .iteration = draws.task,
                 .slot = static_cast<uint32_t>(slot)});
}

}  // namespace

SklearnDraws sklearn_draws(uint32_t seed, size_t rows, size_t samples, size_t repeats) {
  check_draws(rows, samples, repeats);
  const auto n = static_cast<uint32_t>(rows);
  const auto m = static_cast<uint32_t>(samples);
  SklearnDraws draws;
  draws.seed = NumpyRandom(seed).up_to(INT32_MAX);
  NumpyRandom random(draws.seed);
  draws.rows = m < n ? random.sample(n, m) : places_from_0(n);
  std::vector<uint32_t> order = places_from_0(m);
  std::vector<uint32_t> donors = order;
  for (size_t k = 0; k < repeats; ++k) {
    random.shuffle(std::span(order));
    std::vector<uint32_t> next(m);
    for (size_t i = 0; i < m; ++i) next[i] = donors[order[i]];
    donors = next;
    draws.donors.push_back(std::move(next));
  }
  return draws;
}

Exchange sklearn_exchange(SklearnDraws draws) {
  Exchange result{.rows = draws.rows, .repeats = draws.donors.size(), .baseline_of_all_rows = true};
  for (std::vector<uint32_t>& donors : draws.donors) {
    for (uint32_t& donor : donors) donor = draws.rows[donor];
  }
  result.donors = [donors = std::move(draws.donors)](size_t repeat) { return donors[repeat]; };
  return result;
}

Exchange keyed_exchange(const KeyedDraws& draws, std::span<const double> classes) {
  check_draws(draws.rows, draws.samples, draws.repeats);
  Exchange result{.rows = places_from_0(draws.rows), .repeats = draws.repeats};
  if (draws.samples < draws.rows) {
    stream(draws, 0).shuffle(std::span(result.rows));
    result.rows.resize(draws.samples);
  }
  result.donors = [draws, rows = result.rows,
                   all = pools(result.rows, draws.rows, classes)](size_t repeat) {
    Philox random = stream(draws, repeat + 1);
    std::vector<uint32_t> donors(rows.size());
    for (const auto& pool : all) {
      std::vector<uint32_t> shuffled = pool;
      random.shuffle(std::span(shuffled));
      for (size_t i = 0; i < pool.size(); ++i) donors[pool[i]] = rows[shuffled[i]];
    }
    return donors;
  };
  return result;
}

Exchange exact_exchange(size_t rows, std::span<const double> classes) {
  check_draws(rows, rows, 1);
  const auto all = pools(places_from_0(rows), rows, classes);
  size_t pairs = 0;
  for (const auto& pool : all) pairs += pool.size() * pool.size();
  if (pairs > kMostPairs) {
    throw BadInput(
        fmt::format("exact importance of {} rows scores {} pairs of them for each group "
                    "of features, more than {}; sample permutations instead",
                    rows, pairs, kMostPairs));
  }
  const bool equal =
      std::ranges::all_of(all, [&](const auto& pool) { return pool.size() == all.front().size(); });
  Exchange result{.is_exact = true};
  std::vector<uint32_t> donors;
  for (const auto& pool : all) {
    for (const uint32_t row : pool) {
      result.rows.insert(result.rows.end(), pool.size(), row);
      donors.insert(donors.end(), pool.begin(), pool.end());
      if (!equal) {
        const double share = 1 / static_cast<double>(pool.size());
        result.shares.insert(result.shares.end(), pool.size(), share);
      }
    }
  }
  result.donors = [donors = std::move(donors)](size_t) { return donors; };
  return result;
}

size_t sampled_rows(double fraction, size_t rows) {
  const double samples = fraction * static_cast<double>(rows);
  if (!(fraction > 0 && fraction <= 1 && samples >= 1)) {
    throw BadInput(
        fmt::format("max_samples must be a fraction in (0, 1] that leaves a row, got {} of {} rows",
                    fraction, rows));
  }
  return static_cast<size_t>(samples);
}

}  // namespace outerloop::interp
