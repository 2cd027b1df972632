#pragma once
// An NCCL whose GPUs are threads' numbers and whose device memory is the host's. Its cudaStream_t
// are FakeStreams. It is as strict as the real one: calls return early and do nothing until
// ncclCommGetAsyncError was asked, no call may come before that, sends wait for their receivers,
// and two ranks on one GPU are refused.

#include <nccl.h>

#include <cstdint>
#include <string>

namespace outerloop::comm::fake_nccl {

struct Knobs {
  int version = NCCL_VERSION_CODE;
  std::string failing_call;  // such as "ncclSend"
  int failing_rank = 0;
  int lost_rank = -1;  // never finds the others at the start
  // From its collectives of this number on, the rank's GPU hangs and `error` is reported.
  int broken_rank = -1;
  int broken_from = 0;
  ncclResult_t error = ncclSystemError;
  bool remote_errors = false;  // whether the others see ncclRemoteError then
  // Whether a communicator's collectives run in order, whatever their streams.
  bool in_order = true;
};

// For communicators and calls from now on.
void set(const Knobs& knobs);
// The calling thread's current device.
void use_gpu(int gpu);
// Whether the calling thread began a group and did not end it.
bool in_group();
// Communicators that were neither destroyed nor aborted.
int alive();

}  // namespace outerloop::comm::fake_nccl
