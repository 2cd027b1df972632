#include "outerloop/farm/run.h"

#include <fmt/format.h>

#include <exception>
#include <limits>
#include <memory>
#include <set>
#include <thread>

#include "farm/follower.h"
#include "farm/identity.h"
#include "farm/leader.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"

namespace outerloop::farm {
namespace {

void require_sound(const Job& job) {
  if (job.cells().empty()) {
    throw BadInput(fmt::format("the job {} has nothing to do", job.manifest().name));
  }
  std::set<std::string_view> keys;
  for (const Cell& cell : job.cells()) {
    OL_ASSERT(keys.insert(cell.key).second, "two cells have the key " + cell.key);
  }
  OL_ASSERT(!job.columns().empty(), "cells without values");
}

std::string reason_to_stop(const RunOptions& options) {
  const std::string why = options.stop_requested ? options.stop_requested() : std::string();
  return why.empty() ? "a cell gave up" : why;
}

void run_cell(Job& job, Desk& desk, const RunOptions& options, size_t cell, int thread,
              std::vector<double>& values) {
  std::ranges::fill(values, std::numeric_limits<double>::quiet_NaN());
  const auto failed = [&](const std::exception& error, int code) {
    desk.fail({fmt::format("{}: {}", job.cells()[cell].key, error.what()), code});
  };
  try {
    job.run(cell, thread, values);
    desk.deliver(cell, values);
  } catch (const Stopped&) {
    desk.stop(reason_to_stop(options));
  } catch (const BadInput& error) {
    failed(error, 2);
  } catch (const std::exception& error) {
    failed(error, 1);
  }
}

// Runs the job's cells on the pool until the run is over on all ranks.
void work(Job& job, Desk& desk, ThreadPool& pool, const RunOptions& options) {
  std::exception_ptr error;  // of the serving thread
  {
    const std::jthread serving([&] {
      try {
        desk.serve();
      } catch (...) {
        error = std::current_exception();
        desk.give_up();
      }
    });
    pool.run([&](int thread) {
      std::vector<double> values(job.columns().size());
      while (const auto cell = desk.next(thread)) {
        run_cell(job, desk, options, *cell, thread, values);
      }
    });
    desk.close();
  }
  if (error) std::rethrow_exception(error);
}

// `agreed`: on all ranks, which end in step.
[[noreturn]] void throw_failure(const comm::Failure& failure, bool agreed) {
  const bool bad_input = failure.code == 2;
  if (agreed && bad_input) throw comm::AgreedBadInput(failure.message);
  if (agreed) throw comm::AgreedFailure(failure.message);
  if (bad_input) throw BadInput(failure.message);
  throw SystemFailure(failure.message);
}

Outcome lead(Job& job, comm::Communicator& ranks, ThreadPool& pool, const RunOptions& options,
             int64_t threads, Results results, JournalFile* journal) {
  Leader leader(job, results, journal, ranks, threads, options);
  work(job, leader, pool, options);
  if (leader.failure()) throw_failure(*leader.failure(), ranks.size() > 1 && leader.in_step());
  if (options.on_progress) options.on_progress(leader.progress());
  return {.results = std::move(results),
          .progress = leader.progress(),
          .stopped = leader.stopped(),
          .hung = leader.hung()};
}

Outcome follow(Job& job, comm::Communicator& ranks, ThreadPool& pool, const RunOptions& options) {
  Follower follower(ranks, options);
  work(job, follower, pool, options);
  if (follower.failure()) throw_failure(*follower.failure(), true);
  return {.progress = follower.progress(), .stopped = follower.stopped()};
}

}  // namespace

Outcome run(Job& job, comm::Communicator& ranks, ThreadPool& pool, const RunOptions& options) {
  Log silent;
  Log& log = options.log != nullptr ? *options.log : silent;
  Results results;
  std::optional<JournalFile> journal;
  comm::fail_together(ranks, "farm", [&] {
    require_sound(job);
    if (ranks.rank() != 0) return;
    results = Results(keys_of(job), job.columns());
    if (options.journal.empty()) return;
    journal.emplace(options.journal, job.manifest(), results, options.way_out, log);
  });
  comm::require_equal(ranks, "farm", "the farm's job", identity(job),
                      "all ranks must read the same config and data");
  int64_t threads = pool.size();
  ranks.all_reduce("farm", std::span(&threads, 1), comm::Reduction::sum);
  if (ranks.rank() != 0) return follow(job, ranks, pool, options);
  return lead(job, ranks, pool, options, threads, std::move(results),
              journal ? &*journal : nullptr);
}

Outcome run(Job& job, ThreadPool& pool, const RunOptions& options) {
  comm::LocalGroup alone(1);
  return run(job, alone.rank(0), pool, options);
}

}  // namespace outerloop::farm
