#pragma once
// What the stand-in for the driver has seen.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

struct FakeLaunch {
  std::string function;
  unsigned blocks = 0;
  unsigned threads = 0;
  struct {
    void* base;
    int64_t lane_stride;
  } first_operand{};
};

struct FakeDriver {
  std::atomic<int> live = 0;  // handles that nobody has given back
  std::vector<FakeLaunch> launches;
  std::mutex mutex;                 // of the next one
  std::vector<std::string> linked;  // PTX, by any thread
};

// Of the library; found by name.
extern "C" FakeDriver* fake_driver();
