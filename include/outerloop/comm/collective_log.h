#pragma once
// The last collectives that a rank entered, for whoever has to say where it is stuck.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace outerloop::comm {

enum class Verb : uint8_t {
  barrier,
  broadcast,
  all_gather,
  all_to_all,
  all_reduce,
  all_reduce_fast
};
constexpr size_t kVerbs = 6;
const char* name(Verb verb);

// What a collective is for, such as "meta-gradient". A literal, so that any thread may read it at
// any time.
class Label {
 public:
  consteval Label(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  const char* text() const { return text_; }

 private:
  const char* text_;
};

struct Collective {
  uint64_t sequence = 0;  // from 1; the same on all ranks
  Verb verb = Verb::barrier;
  const char* label = "";
  int64_t bytes = 0;  // that this rank sends to others
  bool left = false;  // false: this rank is still in it
};

// "all_gather 'metrics' (#812)"
std::string describe(const Collective& collective);

// Written by the rank's thread, read by any: neither waits for the other. Does not allocate.
class CollectiveLog {
 public:
  static constexpr size_t kKept = 256;

  // Returns the sequence number.
  uint64_t enter(Verb verb, Label label, int64_t bytes);
  void leave(uint64_t sequence);

  uint64_t entered() const { return entered_.load(std::memory_order_acquire); }
  // By rising sequence number; one that is being overwritten is left out.
  std::vector<Collective> recent() const;
  // The last one entered; sequence 0: none yet.
  Collective last() const;

 private:
  // `stamp`: sequence number, 0 while the entry is written. Loads of the fields acquire and their
  // stores release, so equal stamps before and after a read mean fields of one collective.
  struct Entry {
    std::atomic<uint64_t> stamp{0};
    std::atomic<Verb> verb{Verb::barrier};
    std::atomic<const char*> label{""};
    std::atomic<int64_t> bytes{0};
    std::atomic<bool> left{false};
  };
  bool read(uint64_t sequence, Collective& collective) const;

  std::array<Entry, kKept> entries_;
  std::atomic<uint64_t> entered_{0};
};

}  // namespace outerloop::comm
