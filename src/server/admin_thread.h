// One thread for the rare tasks that wait: taking nodes in, checkpoints for those that need one.
#pragma once

#include <pthread.h>

#include <deque>
#include <functional>
#include <thread>
#include <utility>

#include "base/mutex.h"

namespace kiwi::server {

class AdminThread {
 public:
  AdminThread() = default;
  ~AdminThread() { Stop(); }
  AdminThread(const AdminThread&) = delete;
  AdminThread& operator=(const AdminThread&) = delete;

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  // Finishes the task under way, drops the others. Idempotent.
  void Stop() {
    {
      MutexLock lock(mu_);
      stopping_ = true;
      tasks_.clear();
      wake_.NotifyAll();
    }
    if (thread_.joinable()) thread_.join();
  }
  // Any thread; never waits. False: kTasksMax wait already, or it stops.
  bool Post(std::function<void()> task) {
    MutexLock lock(mu_);
    if (stopping_ || tasks_.size() >= kTasksMax) return false;
    tasks_.push_back(std::move(task));
    wake_.NotifyOne();
    return true;
  }

  static constexpr size_t kTasksMax = 64;

 private:
  void Run() {
    pthread_setname_np(pthread_self(), "kiwi-admin");
    while (true) {
      std::function<void()> task;
      {
        MutexLock lock(mu_);
        while (tasks_.empty() && !stopping_) wake_.Wait(mu_);
        if (stopping_) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  Mutex mu_;
  CondVar wake_;
  bool stopping_ KIWI_GUARDED_BY(mu_) = false;
  std::deque<std::function<void()>> tasks_ KIWI_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace kiwi::server
