#include "comm/fake_nccl.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "comm/fake_stream.h"

namespace {

using outerloop::comm::FakeStream;
using outerloop::comm::fake_nccl::Knobs;

// What a rank sends and receives in one collective, or in a group of them.
struct Transfer {
  int peer;
  const float* from;  // sends
  float* to;          // receives
  size_t count;
  int number = 0;  // of the messages from this sender to this receiver
  bool taken = false;
};
struct Work {
  std::vector<Transfer> sends, receives;
  std::vector<std::function<void()>> before, after;
};

struct Clique {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<int, int> gpus;                       // by rank
  std::string refused;                           // not empty: why it cannot be
  std::map<std::array<int, 3>, Transfer*> mail;  // by sender, receiver and number
  std::vector<std::shared_ptr<struct State>> states;
};

// Guarded by the clique's mutex.
struct State {
  std::shared_ptr<Clique> clique;
  Knobs knobs;
  int rank = 0;
  int size = 0;
  ncclResult_t error = ncclSuccess;
  std::string said;
  bool aborted = false;
  int polls = 0;  // until what was called is done
  std::function<void()> launch;
  int issued = 0, served = 0;         // collectives
  std::map<int, int> sent, received;  // messages by peer

  bool connected() const { return static_cast<int>(clique->gpus.size()) == size; }
  bool broken() const { return rank == knobs.broken_rank && issued > knobs.broken_from; }
};

std::mutex registry_mutex;
Knobs knobs_now;
std::map<std::string, std::weak_ptr<Clique>> registry;
std::atomic<int> count_alive = 0;
std::atomic<int> next_id = 0;
thread_local int current_gpu = 0;
thread_local int group_depth = 0;
thread_local ncclResult_t group_result = ncclSuccess;
thread_local Work group_work;
thread_local std::pair<ncclComm_t, cudaStream_t> group_target;

Knobs knobs() {
  const std::lock_guard lock(registry_mutex);
  return knobs_now;
}

bool fails(const char* call, int rank) {
  const Knobs now = knobs();
  return now.failing_call == call && now.failing_rank == rank;
}

void run(const std::shared_ptr<State>& state, Work& work, int number, bool hangs) {
  Clique& clique = *state->clique;
  std::unique_lock lock(clique.mutex);
  const auto wait_until = [&](const auto& done) {
    clique.changed.wait(lock, [&] { return state->aborted || done(); });
    return !state->aborted;
  };
  if (!wait_until([&] { return !hangs && (!state->knobs.in_order || state->served == number); }))
    return;
  for (const auto& step : work.before) step();
  const auto box = [&](const Transfer& send) -> Transfer*& {
    return clique.mail[{state->rank, send.peer, send.number}];
  };
  for (Transfer& send : work.sends) box(send) = &send;
  clique.changed.notify_all();
  for (const Transfer& receive : work.receives) {
    Transfer*& send = clique.mail[{receive.peer, state->rank, receive.number}];
    if (!wait_until([&] { return send != nullptr; })) break;
    if (send->count != receive.count) {
      state->error = ncclInvalidUsage;
      state->said = "a message of another size";
    } else if (receive.count > 0) {
      std::memcpy(receive.to, send->from, receive.count * sizeof(float));
    }
    std::exchange(send, nullptr)->taken = true;
    clique.changed.notify_all();
  }
  const auto taken = [&] { return std::ranges::all_of(work.sends, &Transfer::taken); };
  if (!wait_until(taken)) {
    for (Transfer& send : work.sends) box(send) = nullptr;
    return;
  }
  for (const auto& step : work.after) step();
  ++state->served;
  clique.changed.notify_all();
}

}  // namespace

struct ncclComm {
  std::shared_ptr<State> state;
};

namespace {

ncclResult_t say(State& state, ncclResult_t result, const char* text) {
  state.said = text;
  return result;
}

// Whether a call is allowed now. With the lock.
ncclResult_t allowed(const char* call, State& state) {
  if (fails(call, state.rank)) return say(state, ncclSystemError, "as the test wants");
  if (!state.connected() || state.polls > 0) {
    return say(state, ncclInvalidUsage, "a call while another one is under way");
  }
  return state.error;
}

ncclResult_t add(const char* call, ncclComm_t comm, cudaStream_t stream,
                 const std::function<void(Work&)>& fill) {
  const std::lock_guard lock(comm->state->clique->mutex);
  const ncclResult_t result = allowed(call, *comm->state);
  if (result == ncclSuccess && group_depth > 0) {
    group_target = {comm, stream};
    fill(group_work);
    return ncclSuccess;
  }
  group_result = result == ncclSuccess ? ncclInvalidUsage : result;  // outside a group
  return group_result;
}

float* floats(void* data) {
  return static_cast<float*>(data);
}
const float* floats(const void* data) {
  return static_cast<const float*>(data);
}

void to_others(Work& work, const State& state, const void* data, size_t count) {
  for (int r = 0; r < state.size; ++r) {
    if (r != state.rank) work.sends.push_back({r, floats(data), nullptr, count});
  }
}

void copy(Work& work, const void* from, void* to, size_t count) {
  if (from == to || count == 0) return;
  work.before.push_back([=] { std::memcpy(to, from, count * sizeof(float)); });
}

}  // namespace

namespace outerloop::comm::fake_nccl {

void set(const Knobs& knobs) {
  const std::lock_guard lock(registry_mutex);
  knobs_now = knobs;
}

void use_gpu(int gpu) {
  current_gpu = gpu;
}

bool in_group() {
  return group_depth > 0;
}

int alive() {
  return count_alive;
}

}  // namespace outerloop::comm::fake_nccl

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = knobs().version;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  constexpr std::array kTexts{"no error",       "unhandled cuda error", "unhandled system error",
                              "internal error", "invalid argument",     "invalid usage",
                              "remote error",   "in progress"};
  return kTexts[static_cast<size_t>(result)];
}

const char* ncclGetLastError(ncclComm_t comm) {
  thread_local std::string text;
  if (comm == nullptr) return "";
  const std::lock_guard lock(comm->state->clique->mutex);
  text = comm->state->said;
  return text.c_str();
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  if (fails("ncclGetUniqueId", 0)) return ncclSystemError;
  std::memset(id, 0, sizeof(*id));
  const std::string text = "clique " + std::to_string(++next_id);
  std::memcpy(id->internal, text.data(), text.size());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (fails("ncclCommInitRankConfig", rank)) return ncclSystemError;
  if (config->magic != 0xcafebeef || config->blocking != 0) return ncclInvalidArgument;
  auto state = std::make_shared<State>();
  state->rank = rank;
  state->size = size;
  state->knobs = knobs();
  {
    const std::lock_guard lock(registry_mutex);
    state->clique = registry[id.internal].lock();
    if (!state->clique) registry[id.internal] = state->clique = std::make_shared<Clique>();
  }
  Clique& clique = *state->clique;
  const std::lock_guard lock(clique.mutex);
  for (const auto& [other, gpu] : clique.gpus) {
    if (gpu == current_gpu) clique.refused = "Duplicate GPU detected";
  }
  clique.states.push_back(state);
  if (rank != state->knobs.lost_rank) clique.gpus[rank] = current_gpu;
  *comm = new ncclComm{state};
  ++count_alive;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* result) {
  State& state = *comm->state;
  const std::lock_guard lock(state.clique->mutex);
  if (!state.clique->refused.empty()) {
    state.error = say(state, ncclInvalidUsage, state.clique->refused.c_str());
  }
  if (state.broken()) state.error = say(state, state.knobs.error, "a cable was pulled");
  *result = state.error;
  if (state.error != ncclSuccess) return ncclSuccess;
  if (state.polls > 0 && --state.polls == 0) std::exchange(state.launch, nullptr)();
  if (!state.connected() || state.polls > 0) *result = ncclInProgress;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  {
    const std::lock_guard lock(comm->state->clique->mutex);
    comm->state->aborted = true;
    comm->state->launch = nullptr;
    std::erase(comm->state->clique->states, comm->state);
    comm->state->clique->changed.notify_all();
  }
  --count_alive;
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const std::lock_guard lock(comm->state->clique->mutex);
  const ncclResult_t result = allowed("ncclCommFinalize", *comm->state);
  if (result != ncclSuccess) return result;
  comm->state->launch = [] {};
  comm->state->polls = 2;
  return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  {
    const std::lock_guard lock(comm->state->clique->mutex);
    const ncclResult_t result = allowed("ncclCommDestroy", *comm->state);
    if (result != ncclSuccess) return result;
    std::erase(comm->state->clique->states, comm->state);
  }
  --count_alive;
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  if (group_depth++ == 0) group_result = ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (--group_depth > 0) return ncclSuccess;
  const auto [comm, stream] = std::exchange(group_target, {});
  auto work = std::make_shared<Work>(std::exchange(group_work, {}));
  if (group_result != ncclSuccess) return std::exchange(group_result, ncclSuccess);
  if (comm == nullptr) return ncclSuccess;
  State& state = *comm->state;
  const std::lock_guard lock(state.clique->mutex);
  if (const ncclResult_t result = allowed("ncclGroupEnd", state); result != ncclSuccess) {
    return result;
  }
  const int number = state.issued++;
  for (Transfer& send : work->sends) send.number = state.sent[send.peer]++;
  for (Transfer& receive : work->receives) receive.number = state.received[receive.peer]++;
  for (const auto& other : state.clique->states) {
    if (state.broken() && state.knobs.remote_errors && other->rank != state.rank) {
      other->error = ncclRemoteError;
    }
  }
  state.polls = 2;
  state.launch = [work, number, shared = comm->state, target = stream, hangs = state.broken()] {
    reinterpret_cast<FakeStream*>(target)->push([=] { run(shared, *work, number, hangs); });
  };
  return ncclInProgress;
}

ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return add("ncclSend", comm, stream, [&](Work& work) {
    work.sends.push_back({peer, floats(data), nullptr, count});
  });
}

ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return add("ncclRecv", comm, stream, [&](Work& work) {
    work.receives.push_back({peer, nullptr, floats(data), count});
  });
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  return add("ncclBroadcast", comm, stream, [&](Work& work) {
    if (root != comm->state->rank) {
      work.receives.push_back({root, nullptr, floats(to), count});
      return;
    }
    copy(work, from, to, count);
    to_others(work, *comm->state, from, count);
  });
}

ncclResult_t ncclAllGather(const void* from, void* to, size_t count, ncclDataType_t,
                           ncclComm_t comm, cudaStream_t stream) {
  return add("ncclAllGather", comm, stream, [&](Work& work) {
    const State& state = *comm->state;
    copy(work, from, floats(to) + count * static_cast<size_t>(state.rank), count);
    to_others(work, state, from, count);
    for (int r = 0; r < state.size; ++r) {
      if (r == state.rank) continue;
      work.receives.push_back({r, nullptr, floats(to) + count * static_cast<size_t>(r), count});
    }
  });
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t, ncclRedOp_t,
                           ncclComm_t comm, cudaStream_t stream) {
  return add("ncclAllReduce", comm, stream, [&](Work& work) {
    const State& state = *comm->state;
    const auto others =
        std::make_shared<std::vector<float>>(count * static_cast<size_t>(state.size - 1));
    to_others(work, state, from, count);
    float* part = others->data();
    for (int r = 0; r < state.size; ++r) {
      if (r == state.rank) continue;
      work.receives.push_back({r, nullptr, part, count});
      part += count;
    }
    work.after.push_back([=] {
      if (from != to) std::memcpy(to, from, count * sizeof(float));
      for (size_t i = 0; i < others->size(); ++i) floats(to)[i % count] += (*others)[i];
    });
  });
}

}  // extern "C"
