// Keeps a node from joining a group while it takes others into its own, and the other way round: two
// that take each other in would each give up what the other counts on.
#pragma once

#include "base/mutex.h"
#include "base/status.h"

namespace kiwi::server {

// Thread-safe; never waits.
class JoinGate {
 public:
  // kBusy: this node takes a node in, or joins already. Ends with EndJoining, or never: a node that
  // was accepted starts anew.
  Status BeginJoining() {
    MutexLock lock(mu_);
    if (joining_) return {StatusCode::kBusy, "this node is joining already"};
    if (taking_in_ > 0) return {StatusCode::kBusy, "this node is taking another one in"};
    joining_ = true;
    return {};
  }
  void EndJoining() {
    MutexLock lock(mu_);
    joining_ = false;
  }

  // While it stands, and `status` is ok, this node joins nobody. Several may stand.
  class TakingIn {
   public:
    explicit TakingIn(JoinGate& gate) : gate_(gate), status_(gate.BeginTakingIn()) {}
    ~TakingIn() {
      if (status_.ok()) gate_.EndTakingIn();
    }
    TakingIn(const TakingIn&) = delete;
    TakingIn& operator=(const TakingIn&) = delete;
    const Status& status() const { return status_; }

   private:
    JoinGate& gate_;
    const Status status_;
  };

 private:
  Status BeginTakingIn() {
    MutexLock lock(mu_);
    if (joining_) return {StatusCode::kBusy, "this node is joining a group itself"};
    ++taking_in_;
    return {};
  }
  void EndTakingIn() {
    MutexLock lock(mu_);
    --taking_in_;
  }

  Mutex mu_;
  bool joining_ KIWI_GUARDED_BY(mu_) = false;
  int taking_in_ KIWI_GUARDED_BY(mu_) = 0;
};

}  // namespace kiwi::server
