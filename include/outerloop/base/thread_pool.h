#pragma once
// A fixed team of threads for work that is handed out every few dozen microseconds.

#include <memory>
#include <type_traits>
#include <vector>

namespace outerloop {

// Cores that this process may run on, ascending.
std::vector<int> allowed_cores();

enum class Pinning {
  full_team,
  none,  // where a device computes: its driver starts threads, and other processes share the cores
};

// `size` threads, the constructing one included: it is thread 0 of every run(). Workers spin for a
// short while after each run and park when no work comes. When the team takes all allowed cores,
// each thread, thread 0 too, is pinned to one of them, and the destructor gives thread 0 its
// earlier cores back; a smaller team is left to the system's scheduler. Threads that thread 0
// starts meanwhile inherit its one core.
//
// run() is called by the constructing thread alone, never from inside a run.
class ThreadPool {
 public:
  // 0 = fitting_threads() (cpu_quota.h). BadInput if negative or above 1024.
  explicit ThreadPool(int size = 0, Pinning pinning = Pinning::full_team);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }

  // Calls work(i) once on each thread i in 0 … size-1 and returns when all are done. If calls
  // throw, the exception of the lowest thread is thrown here, after all have ended. Does not
  // allocate.
  template <class Work>
  void run(Work&& work) {
    run_erased(task_of(work), {});
  }
  // The same, and the threads but 0 call after(i) once they are done, while the caller goes on with
  // other things: their next run begins behind it. `after` must not throw and lives until then.
  template <class Work, class After>
  void run(Work&& work, const After& after) {
    run_erased(task_of(work), task_of(after));
  }

 private:
  struct Team;
  struct Task {
    void (*call)(void* context, int thread) = nullptr;
    void* context = nullptr;
  };
  template <class Work>
  static Task task_of(Work& work) {
    return {[](void* context, int thread) { (*static_cast<Work*>(context))(thread); },
            const_cast<std::remove_const_t<Work>*>(&work)};
  }
  void run_erased(Task work, Task after);

  int size_;
  std::unique_ptr<Team> team_;
};

}  // namespace outerloop
