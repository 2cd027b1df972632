#pragma once
// Parts of a list of work for processes that know nothing of each other, such as a Slurm array's.

#include <cstdint>
#include <string_view>

namespace outerloop::farm {

// Of `count` workers, worker `index` takes the pieces whose number leaves this remainder.
struct Shard {
  int64_t index = 0;
  int64_t count = 1;
  bool has(int64_t number) const { return number % count == index; }
};

// "2/8": the third of eight; empty: all. Throws BadInput, which speaks of --shard.
Shard parse_shard(std::string_view text);

}  // namespace outerloop::farm
