#pragma once
// The one place where results of NCCL calls are judged.

#include "comm/nccl/library.h"
#include "outerloop/comm/nccl.h"

namespace outerloop::comm {

// Who calls.
struct NcclContext {
  NcclLibrary library;
  int rank = -1;              // -1: before there are ranks
  ncclComm_t comm = nullptr;  // null: none yet
};

// "unhandled system error: ", with what the library says of its last one.
std::string error_text(const NcclContext& context, ncclResult_t result);

[[noreturn]] void throw_nccl_error(const NcclContext& context, ncclResult_t result,
                                   const char* call, const char* file, int line);

}  // namespace outerloop::comm

// Throws NcclError unless the call succeeded or, as those of non-blocking communicators may, is
// under way.
#define OL_NCCL(context, call)                                                               \
  do {                                                                                       \
    const ::outerloop::comm::NcclContext& ol_context = (context);                            \
    const ncclResult_t ol_result = ol_context.library.call;                                  \
    if (ol_result != ncclSuccess && ol_result != ncclInProgress) {                           \
      ::outerloop::comm::throw_nccl_error(ol_context, ol_result, #call, __FILE__, __LINE__); \
    }                                                                                        \
  } while (false)
