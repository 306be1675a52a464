#include "runtime/worker_pool.h"

#include <pthread.h>

#include <algorithm>
#include <list>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"

namespace kiwi::runtime {
namespace {

// An idle worker looks around so often even if nobody wakes it: a backstop, not a mechanism.
constexpr int kIdleLookMs = 100;

// Written by its thread alone, read by anybody; on a cache line of its own.
struct alignas(64) Worker {
  std::atomic<bool> busy{false};
  std::atomic<uint64_t> tasks{0};
  int64_t started_ns = 0;
  bool finished = false;  // under the pool's mutex
  std::thread thread;
};

void RunTask(Worker* self, Task* task) {
  self->busy.store(true, std::memory_order_relaxed);
  task->Run();
  self->busy.store(false, std::memory_order_relaxed);
  self->tasks.store(self->tasks.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

struct WorkerPool::Impl {
  Impl(PriorityChannel* c, std::string n) : channel(c), name(std::move(n)) {}

  void Work(Worker* self);
  bool ShouldLeave(Worker* self);
  void Reap();
  void WorkInReserve(Worker* self);
  bool ReserveShouldLeave(Worker* self);
  void StartReserve() KIWI_REQUIRES(resize_mu);
  void JoinReserve() KIWI_REQUIRES(resize_mu);

  PriorityChannel* const channel;
  const std::string name;
  std::atomic<int> wanted{0};
  std::atomic<int> alive{0};
  std::atomic<bool> stopped{false};

  Mutex resize_mu;  // one Resize or Stop at a time; taken before mu

  mutable Mutex mu;
  CondVar left;
  std::list<Worker> workers KIWI_GUARDED_BY(mu);  // finished ones stay until they are joined
  uint64_t started_count KIWI_GUARDED_BY(mu) = 0;
  uint64_t gone_tasks KIWI_GUARDED_BY(mu) = 0;  // of the workers that left
  int64_t gone_ns KIWI_GUARDED_BY(mu) = 0;

  std::atomic<bool> reserve_wanted{false};
  std::unique_ptr<Worker> reserve KIWI_GUARDED_BY(mu);
  uint64_t gone_reserve_tasks KIWI_GUARDED_BY(mu) = 0;
};

void WorkerPool::Impl::Work(Worker* self) {
  while (!ShouldLeave(self)) {
    Task* task = channel->TryPopForWorker();
    if (task == nullptr) {
      channel->WaitForWork(kIdleLookMs);
      continue;
    }
    RunTask(self, task);
  }
  // The wake-up that this thread left on may have been meant for a task: hand it on.
  channel->WakeWorkers(1);
}

void WorkerPool::Impl::WorkInReserve(Worker* self) {
  while (!ReserveShouldLeave(self)) {
    Task* task = channel->TryPopUrgent();
    if (task == nullptr) {
      channel->WaitForUrgentWork(kIdleLookMs);
      continue;
    }
    RunTask(self, task);
  }
}

bool WorkerPool::Impl::ReserveShouldLeave(Worker* self) {
  if (reserve_wanted.load(std::memory_order_relaxed)) [[likely]] {
    return false;
  }
  MutexLock lock(mu);
  if (reserve_wanted) return false;
  const uint64_t tasks = self->tasks.load(std::memory_order_relaxed);
  gone_ns += SystemClock().MonotonicNs() - self->started_ns;
  gone_tasks += tasks;
  gone_reserve_tasks += tasks;
  self->finished = true;
  return true;
}

bool WorkerPool::Impl::ShouldLeave(Worker* self) {
  if (alive.load(std::memory_order_relaxed) <= wanted.load(std::memory_order_relaxed)) [[likely]] {
    return false;
  }
  MutexLock lock(mu);
  if (alive <= wanted) return false;
  alive.fetch_sub(1);
  gone_ns += SystemClock().MonotonicNs() - self->started_ns;
  gone_tasks += self->tasks.load(std::memory_order_relaxed);
  self->finished = true;
  left.NotifyAll();
  return true;
}

// Joins the threads that have left.
void WorkerPool::Impl::Reap() {
  std::list<Worker> gone;
  {
    MutexLock lock(mu);
    for (auto it = workers.begin(); it != workers.end();) {
      const auto next = std::next(it);
      if (it->finished) gone.splice(gone.end(), workers, it);
      it = next;
    }
  }
  for (Worker& w : gone) w.thread.join();
}

WorkerPool::WorkerPool(PriorityChannel* channel, std::string name)
    : impl_(std::make_unique<Impl>(channel, std::move(name))) {}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::Resize(int threads) {
  KIWI_CHECK(threads >= 0, "a pool's size is not negative");
  MutexLock one_at_a_time(impl_->resize_mu);
  if (impl_->stopped) return;
  impl_->Reap();
  const int before = impl_->alive;
  impl_->wanted = threads;
  if (threads < before) impl_->channel->WakeWorkers(before - threads);
  MutexLock lock(impl_->mu);
  while (impl_->alive < threads) {
    Worker& worker = impl_->workers.emplace_back();
    worker.started_ns = SystemClock().MonotonicNs();
    const std::string thread_name = impl_->name + "-" + std::to_string(impl_->started_count);
    try {
      worker.thread = std::thread([impl = impl_.get(), &worker] { impl->Work(&worker); });
    } catch (const std::system_error& e) {
      impl_->workers.pop_back();
      impl_->wanted = impl_->alive.load();
      KIWI_LOG(kError, "pool {} cannot grow to {} threads, stays at {}: {}", impl_->name, threads,
               impl_->alive.load(), e.what());
      return;
    }
    // The kernel keeps 15 bytes of a thread's name.
    pthread_setname_np(worker.thread.native_handle(), thread_name.substr(0, 15).c_str());
    ++impl_->started_count;
    impl_->alive.fetch_add(1);
  }
}

void WorkerPool::SetReserve(bool on) {
  MutexLock one_at_a_time(impl_->resize_mu);
  if (on && impl_->stopped) return;
  {
    MutexLock lock(impl_->mu);
    impl_->reserve_wanted = on;
    if (on && impl_->reserve != nullptr && !impl_->reserve->finished) return;
  }
  if (on) {
    impl_->StartReserve();
  } else {
    impl_->channel->WakeReserve();
  }
}

void WorkerPool::Impl::StartReserve() {
  JoinReserve();
  auto starting = std::make_unique<Worker>();
  starting->started_ns = SystemClock().MonotonicNs();
  try {
    starting->thread = std::thread([this, self = starting.get()] { WorkInReserve(self); });
  } catch (const std::system_error& e) {
    reserve_wanted = false;
    KIWI_LOG(kError, "pool {} has no reserve: {}", name, e.what());
    return;
  }
  pthread_setname_np(starting->thread.native_handle(), (name + "-r").substr(0, 15).c_str());
  MutexLock lock(mu);
  reserve = std::move(starting);
}

// One that has left, or is about to; not from its own thread.
void WorkerPool::Impl::JoinReserve() {
  std::unique_ptr<Worker> ended;
  {
    MutexLock lock(mu);
    ended.swap(reserve);
  }
  if (ended != nullptr) ended->thread.join();
}

void WorkerPool::Stop() {
  MutexLock one_at_a_time(impl_->resize_mu);
  impl_->stopped = true;
  impl_->wanted = 0;
  impl_->channel->WakeWorkers(impl_->alive);
  {
    MutexLock lock(impl_->mu);
    while (impl_->alive > 0) impl_->left.Wait(impl_->mu);
  }
  impl_->reserve_wanted = false;
  impl_->channel->WakeReserve();
  impl_->JoinReserve();
  impl_->Reap();
}

int WorkerPool::size() const { return impl_->wanted; }
int WorkerPool::alive() const { return impl_->alive; }
int WorkerPool::busy() const { return stats().busy; }
uint64_t WorkerPool::tasks_run() const { return stats().tasks_run; }

WorkerPoolStats WorkerPool::stats() const {
  WorkerPoolStats s;
  s.wanted = impl_->wanted;
  s.alive = impl_->alive;
  const int64_t now = SystemClock().MonotonicNs();
  MutexLock lock(impl_->mu);
  s.threads_started = impl_->started_count;
  s.tasks_run = impl_->gone_tasks;
  s.alive_thread_ns = impl_->gone_ns;
  for (const Worker& w : impl_->workers) {
    if (w.finished) continue;
    s.tasks_run += w.tasks.load(std::memory_order_relaxed);
    s.alive_thread_ns += now - w.started_ns;
    s.busy += w.busy.load(std::memory_order_relaxed) ? 1 : 0;
  }
  s.reserve_tasks = impl_->gone_reserve_tasks;
  if (const Worker* reserve = impl_->reserve.get(); reserve != nullptr && !reserve->finished) {
    const uint64_t tasks = reserve->tasks.load(std::memory_order_relaxed);
    s.tasks_run += tasks;
    s.reserve_tasks += tasks;
    s.alive_thread_ns += now - reserve->started_ns;
    s.busy += reserve->busy.load(std::memory_order_relaxed) ? 1 : 0;
  }
  return s;
}

}  // namespace kiwi::runtime
