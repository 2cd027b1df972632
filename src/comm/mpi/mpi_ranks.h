#pragma once
// The Communicator over an MPI communicator.

#include <mpi.h>

#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

class MpiRanks final : public Communicator {
 public:
  // Collective. Works on a copy of `parent`, so that nobody else's messages mix with its own.
  MpiRanks(MPI_Comm parent, int64_t chunk_bytes);

  // Collective: the copy goes.
  void free();
  [[noreturn]] void abort(int code) noexcept override;

 private:
  // One exchange under way. Kept and used again.
  struct Ticket {
    std::vector<MPI_Request> requests;  // first those of receives
    std::vector<MPI_Status> statuses;
    std::vector<int> expected;  // bytes of each receive
    Collective call;
    bool used = false;
  };

  void do_barrier(const Collective& call) override;
  void do_broadcast(const Collective& call, std::span<std::byte> bytes, int root) override;
  void do_all_gather(const Collective& call, std::span<std::byte> all,
                     std::span<const int64_t> counts) override;
  void do_all_reduce_fast(const Collective& call, std::span<float> values) override;
  int do_start(const Collective& call, Sends sends, Receives receives) override;
  bool do_test(int ticket) override;
  void do_wait(int ticket) override;
  void do_abandon(int ticket) noexcept override;
  void do_post(int to, std::span<const std::byte> letter) override;
  std::optional<Letter> do_take() override;

  // A letter under way; it stays where it is in memory.
  struct Transfer {
    Letter letter;
    MPI_Request request{};
  };
  void forget_sent();
  void start_receiving();

  Ticket& free_ticket();
  static void check(const Ticket& ticket, int code);
  void check_sizes(const Ticket& ticket) const;
  // Calls with the consecutive pieces of at most chunk_bytes_.
  template <class T, class Call>
  void in_chunks(std::span<T> bytes, Call&& call) const;

  MPI_Comm comm_ = MPI_COMM_NULL;
  MPI_Comm letters_ = MPI_COMM_NULL;  // a copy of its own keeps them apart from collectives
  std::list<Transfer> posted_;
  std::list<Transfer> arriving_;  // in the order of arrival
  int64_t chunk_bytes_;
  std::vector<std::unique_ptr<Ticket>> tickets_;
  std::vector<int> counts_;
  std::vector<int> offsets_;
  std::vector<Piece<const std::byte>> sends_;
  std::vector<Piece<std::byte>> receives_;
};

}  // namespace outerloop::comm
