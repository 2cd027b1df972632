#pragma once
// Room for the plain loops, which know their sizes only when they run.

#include <cstddef>
#include <span>
#include <vector>

namespace outerloop::exec {

// `count` elements of the calling thread, with any content, until its next call for the same type.
// It grows to the most that was asked for and stays, so that repeated runs allocate nothing.
template <class T>
std::span<T> thread_scratch(size_t count) {
  thread_local std::vector<T> memory;
  if (memory.size() < count) memory.resize(count);
  return {memory.data(), count};
}

}  // namespace outerloop::exec
