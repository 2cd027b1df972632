#include "comm/mpi/mpi_ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "comm/mpi/check.h"
#include "outerloop/base/host_name.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"
#include "outerloop/comm/mpi.h"

namespace outerloop::comm {
namespace {

int rank_in(MPI_Comm comm) {
  int rank = 0;
  OL_MPI(MPI_Comm_rank(comm, &rank));
  return rank;
}

size_t size_of(MPI_Comm comm) {
  int size = 0;
  OL_MPI(MPI_Comm_size(comm, &size));
  return static_cast<size_t>(size);
}

// Exchanges that overlap stay apart; 32767 is the largest tag that every MPI takes.
int tag_of(const Collective& call) {
  return static_cast<int>(call.sequence % 32768);
}

}  // namespace

MpiRanks::MpiRanks(MPI_Comm parent, int64_t chunk_bytes)
    : Communicator(rank_in(parent), std::vector<std::string>(size_of(parent))),
      chunk_bytes_(chunk_bytes),
      counts_(static_cast<size_t>(size())),
      offsets_(static_cast<size_t>(size())) {
  OL_MPI(MPI_Comm_dup(parent, &comm_));
  OL_MPI(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN));
  OL_MPI(MPI_Comm_dup(comm_, &letters_));
  set_hosts(all_gather_strings(*this, "hosts", host_name()));
}

void MpiRanks::free() {
  for (Transfer& sent : posted_) OL_MPI(MPI_Wait(&sent.request, MPI_STATUS_IGNORE));
  posted_.clear();
  OL_MPI(MPI_Comm_free(&letters_));
  OL_MPI(MPI_Comm_free(&comm_));
}

void MpiRanks::abort(int code) noexcept {
  MPI_Abort(comm_, code);
  std::_Exit(code);  // in case it returns
}

template <class T, class Call>
void MpiRanks::in_chunks(std::span<T> bytes, Call&& call) const {
  const auto chunk = static_cast<size_t>(chunk_bytes_);
  for (size_t begin = 0; begin < bytes.size(); begin += chunk) {
    const std::span<T> part = bytes.subspan(begin, std::min(chunk, bytes.size() - begin));
    call(part.data(), static_cast<int>(part.size()));
  }
}

void MpiRanks::do_barrier(const Collective&) {
  OL_MPI(MPI_Barrier(comm_));
}

void MpiRanks::do_broadcast(const Collective&, std::span<std::byte> bytes, int root) {
  in_chunks(bytes, [&](std::byte* data, int count) {
    OL_MPI(MPI_Bcast(data, count, MPI_BYTE, root, comm_));
  });
}

void MpiRanks::do_all_gather(const Collective& call, std::span<std::byte> all,
                             std::span<const int64_t> counts) {
  if (static_cast<int64_t>(all.size()) <= chunk_bytes_) {
    int offset = 0;
    for (size_t r = 0; r < counts.size(); ++r) {
      counts_[r] = static_cast<int>(counts[r]);
      offsets_[r] = offset;
      offset += counts_[r];
    }
    OL_MPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), counts_.data(),
                          offsets_.data(), MPI_BYTE, comm_));
    return;
  }
  sends_.clear();
  receives_.clear();
  size_t offset = 0;
  for (int r = 0; r < size(); ++r) {
    const auto part = all.subspan(offset, static_cast<size_t>(counts[static_cast<size_t>(r)]));
    offset += part.size();
    if (r != rank()) {
      receives_.push_back({r, part});
      continue;
    }
    for (int i = 1; i < size(); ++i) sends_.push_back({(r + i) % size(), part});
  }
  do_wait(do_start(call, sends_, receives_));
}

void MpiRanks::do_all_reduce_fast(const Collective&, std::span<float> values) {
  const auto chunk = static_cast<size_t>(chunk_bytes_) / sizeof(float);
  for (size_t begin = 0; begin < values.size(); begin += chunk) {
    const auto part = values.subspan(begin, std::min(chunk, values.size() - begin));
    OL_MPI(MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), MPI_FLOAT,
                         MPI_SUM, comm_));
  }
}

MpiRanks::Ticket& MpiRanks::free_ticket() {
  for (const auto& ticket : tickets_) {
    if (!ticket->used) return *ticket;
  }
  return *tickets_.emplace_back(std::make_unique<Ticket>());
}

// Point to point, not MPI_Ialltoallv: pieces may lie anywhere and be of any size, and Open MPI's
// own (libnbc) sends the same messages.
int MpiRanks::do_start(const Collective& call, Sends sends, Receives receives) {
  Ticket& ticket = free_ticket();
  ticket.used = true;
  ticket.call = call;
  ticket.requests.clear();
  ticket.expected.clear();
  for (const Piece<std::byte>& piece : receives) {
    in_chunks(piece.data, [&](std::byte* data, int count) {
      MPI_Request request{};
      OL_MPI(MPI_Irecv(data, count, MPI_BYTE, piece.rank, tag_of(call), comm_, &request));
      ticket.requests.push_back(request);
      ticket.expected.push_back(count);
    });
  }
  for (const Piece<const std::byte>& piece : sends) {
    in_chunks(piece.data, [&](const std::byte* data, int count) {
      MPI_Request request{};
      OL_MPI(MPI_Isend(data, count, MPI_BYTE, piece.rank, tag_of(call), comm_, &request));
      ticket.requests.push_back(request);
    });
  }
  ticket.statuses.resize(ticket.requests.size());
  const auto place = std::ranges::find(tickets_, &ticket, &std::unique_ptr<Ticket>::get);
  return static_cast<int>(place - tickets_.begin());
}

bool MpiRanks::do_test(int number) {
  Ticket& ticket = *tickets_[static_cast<size_t>(number)];
  int done = 0;
  check(ticket, MPI_Testall(static_cast<int>(ticket.requests.size()), ticket.requests.data(), &done,
                            ticket.statuses.data()));
  if (done == 0) return false;
  check_sizes(ticket);
  ticket.used = false;
  return true;
}

void MpiRanks::do_wait(int number) {
  Ticket& ticket = *tickets_[static_cast<size_t>(number)];
  check(ticket, MPI_Waitall(static_cast<int>(ticket.requests.size()), ticket.requests.data(),
                            ticket.statuses.data()));
  check_sizes(ticket);
  ticket.used = false;
}

// MPI cannot be told to forget a message, so the ticket stays used until the process ends.
void MpiRanks::do_abandon(int) noexcept {}

void MpiRanks::do_post(int to, std::span<const std::byte> letter) {
  forget_sent();
  Transfer& sent = posted_.emplace_back();
  sent.letter.bytes.assign(letter.begin(), letter.end());
  OL_MPI(MPI_Isend(sent.letter.bytes.data(), static_cast<int>(letter.size()), MPI_BYTE, to, 0,
                   letters_, &sent.request));
}

void MpiRanks::forget_sent() {
  for (auto sent = posted_.begin(); sent != posted_.end();) {
    int done = 0;
    OL_MPI(MPI_Test(&sent->request, &done, MPI_STATUS_IGNORE));
    sent = done != 0 ? posted_.erase(sent) : std::next(sent);
  }
}

// Never waits for a letter to come whole: its sender may be stopped in the middle.
std::optional<Letter> MpiRanks::do_take() {
  forget_sent();
  start_receiving();
  std::vector<int> late;  // whose earlier letter is still coming
  for (auto transfer = arriving_.begin(); transfer != arriving_.end(); ++transfer) {
    const int from = transfer->letter.from;
    if (std::ranges::find(late, from) != late.end()) continue;
    int done = 0;
    OL_MPI(MPI_Test(&transfer->request, &done, MPI_STATUS_IGNORE));
    if (done == 0) {
      late.push_back(from);
      continue;
    }
    Letter letter = std::move(transfer->letter);
    arriving_.erase(transfer);
    return letter;
  }
  return std::nullopt;
}

void MpiRanks::start_receiving() {
  while (true) {
    int any = 0;
    MPI_Status status;
    OL_MPI(MPI_Iprobe(MPI_ANY_SOURCE, 0, letters_, &any, &status));
    if (any == 0) return;
    int count = 0;
    OL_MPI(MPI_Get_count(&status, MPI_BYTE, &count));
    Transfer& coming = arriving_.emplace_back();
    coming.letter.from = status.MPI_SOURCE;
    coming.letter.bytes.resize(static_cast<size_t>(count));
    OL_MPI(MPI_Irecv(coming.letter.bytes.data(), count, MPI_BYTE, status.MPI_SOURCE, 0, letters_,
                     &coming.request));
  }
}

void MpiRanks::check(const Ticket& ticket, int code) {
  if (code == MPI_ERR_IN_STATUS) {
    for (const MPI_Status& status : ticket.statuses) {
      if (status.MPI_ERROR != MPI_SUCCESS && status.MPI_ERROR != MPI_ERR_PENDING) {
        code = status.MPI_ERROR;
        break;
      }
    }
  }
  if (code != MPI_SUCCESS) throw_mpi_error(code, describe(ticket.call).c_str(), __FILE__, __LINE__);
}

void MpiRanks::check_sizes(const Ticket& ticket) const {
  for (size_t i = 0; i < ticket.expected.size(); ++i) {
    int count = 0;
    OL_MPI(MPI_Get_count(&ticket.statuses[i], MPI_BYTE, &count));
    OL_ASSERT(count == ticket.expected[i],
              fmt::format("rank {} expects {} bytes from rank {} in {}, which sent {}", rank(),
                          ticket.expected[i], ticket.statuses[i].MPI_SOURCE, describe(ticket.call),
                          count));
  }
}

}  // namespace outerloop::comm
