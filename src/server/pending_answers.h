// Threads that wait for an answer from another node, each until it comes or nobody wants it any more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "base/status.h"

namespace kiwi::server {

// Thread-safe. Answers may come after their waiter has left, and after all else is gone: held by
// shared_ptr, also by who is to answer.
class PendingAnswers : public std::enable_shared_from_this<PendingAnswers> {
 public:
  using Answer = std::function<void(Result<std::string>)>;

  // `ask` gets what is to be called with the answer, on any thread. kAborted: `given_up` said so, here
  // first and after each Wake.
  Result<std::string> Wait(const std::function<void(Answer)>& ask,
                           const std::function<bool()>& given_up) KIWI_EXCLUDES(mu_) {
    uint64_t number = 0;
    {
      MutexLock lock(mu_);
      number = ++last_;
      open_[number];
    }
    ask([self = shared_from_this(), number](Result<std::string> answer) {
      MutexLock lock(self->mu_);
      const auto it = self->open_.find(number);
      if (it == self->open_.end()) return;
      it->second = std::move(answer);
      self->changed_.NotifyAll();
    });
    MutexLock lock(mu_);
    while (!open_[number] && !given_up()) changed_.Wait(mu_);
    std::optional<Result<std::string>> answer = std::move(open_[number]);
    open_.erase(number);
    if (!answer) return Status(StatusCode::kAborted, "nobody waits for the answer any more");
    return *std::move(answer);
  }

  // Every waiter asks anew whether it is given up.
  void Wake() KIWI_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    changed_.NotifyAll();
  }

 private:
  Mutex mu_;
  CondVar changed_;
  uint64_t last_ KIWI_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, std::optional<Result<std::string>>> open_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::server
