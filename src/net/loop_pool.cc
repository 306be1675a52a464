#include "net/loop_pool.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace kiwi::net {
namespace {

struct Member {
  explicit Member(const LoopOptions& options) : loop(options) {}
  // In this order: a promise is taken back only after the loop counts the connection by itself.
  size_t load() const {
    const size_t coming = promised.load();
    return coming + loop.connection_count();
  }
  // In this order: a closing connection holds the loop before it counts no more.
  bool needed() const { return load() > 0 || loop.holds() > 0; }

  Loop loop;
  int number = 0;
  bool draining = false;   // under the pool's mutex
  int64_t started_ns = 0;  // under the pool's mutex; 0: not started
  // Connections that are about to come: keeps the loop from being taken for empty.
  std::atomic<size_t> promised{0};
};
using MemberPtr = std::shared_ptr<Member>;

void Add(const LoopStats& from, LoopStats* to) {
  to->iterations += from.iterations;
  to->polls_blocking += from.polls_blocking;
  to->wake_ups += from.wake_ups;
  to->tasks += from.tasks;
  to->reads += from.reads;
  to->bytes_in += from.bytes_in;
  to->flushes += from.flushes;
  to->bytes_out += from.bytes_out;
}

}  // namespace

struct LoopPool::Impl {
  LoopOptions options;
  std::function<void(Loop&)> setup;

  Mutex resize_mu;  // one Start, Resize, Maintain or Stop at a time; taken before mu
  mutable Mutex mu;
  std::vector<MemberPtr> members KIWI_GUARDED_BY(mu);  // the first is loop 0
  bool stopped KIWI_GUARDED_BY(mu) = false;
  int wanted KIWI_GUARDED_BY(mu) = 0;
  uint64_t started KIWI_GUARDED_BY(mu) = 0;
  size_t next_to_wake KIWI_GUARDED_BY(mu) = 0;
  int64_t gone_ns KIWI_GUARDED_BY(mu) = 0;
  LoopStats gone KIWI_GUARDED_BY(mu);
  std::atomic<uint64_t> moves_asked{0};

  MemberPtr Make(int number);
  Status StartMember(const MemberPtr& member) KIWI_REQUIRES(resize_mu);
  Status Grow(int loops) KIWI_REQUIRES(resize_mu);
  void Rebalance();
  void AskToLeave(const MemberPtr& from, size_t count);
  MemberPtr Target(const Loop& from);
  MemberPtr LeastLoaded() KIWI_REQUIRES(mu);
  std::vector<MemberPtr> Members() const;
};

std::vector<MemberPtr> LoopPool::Impl::Members() const {
  MutexLock lock(mu);
  return members;
}

MemberPtr LoopPool::Impl::LeastLoaded() {
  MemberPtr best;
  for (const MemberPtr& m : members) {
    if (!m->draining && (best == nullptr || m->load() < best->load())) best = m;
  }
  return best;
}

// Where a connection of `from` should go; null: it should stay. The promise is the caller's to take
// back.
MemberPtr LoopPool::Impl::Target(const Loop& from) {
  MutexLock lock(mu);
  const auto self = std::find_if(members.begin(), members.end(),
                                 [&](const MemberPtr& m) { return &m->loop == &from; });
  if (stopped || self == members.end()) return nullptr;
  MemberPtr best = LeastLoaded();
  if (best == nullptr || best == *self) return nullptr;
  if (!(*self)->draining && (*self)->load() < best->load() + 2) return nullptr;
  best->promised.fetch_add(1);
  return best;
}

Status LoopPool::Impl::Grow(int loops) {
  for (;;) {
    int number = 0;
    MemberPtr prepared;
    {
      MutexLock lock(mu);
      // One that is being emptied is as good as a new one.
      if (!members.empty() && members.front()->started_ns == 0) prepared = members.front();
      const auto serving = std::count_if(members.begin(), members.end(),
                                         [](const MemberPtr& m) { return !m->draining; });
      if (serving >= loops && prepared == nullptr) return Status::Ok();
      const auto back = std::find_if(members.begin(), members.end(),
                                     [](const MemberPtr& m) { return m->draining; });
      if (back != members.end()) {
        (*back)->draining = false;
        continue;
      }
      while (std::any_of(members.begin(), members.end(),
                         [&](const MemberPtr& m) { return m->number == number; })) {
        ++number;
      }
    }
    if (prepared != nullptr) {
      KIWI_RETURN_IF_ERROR(StartMember(prepared));
      continue;
    }
    const MemberPtr member = Make(number);
    KIWI_RETURN_IF_ERROR(StartMember(member));
    MutexLock lock(mu);
    members.push_back(member);
  }
}

MemberPtr LoopPool::Impl::Make(int number) {
  LoopOptions o = options;
  o.name = options.name + "-" + std::to_string(number);
  auto member = std::make_shared<Member>(o);
  member->number = number;
  if (setup) setup(member->loop);
  return member;
}

Status LoopPool::Impl::StartMember(const MemberPtr& member) {
  KIWI_RETURN_IF_ERROR(member->loop.Start());
  MutexLock lock(mu);
  member->started_ns = SystemClock().MonotonicNs();
  ++started;
  return Status::Ok();
}

// Each loop that has more than its share is asked for the rest.
void LoopPool::Impl::Rebalance() {
  const std::vector<MemberPtr> all = Members();
  size_t total = 0;
  for (const MemberPtr& m : all) total += m->load();
  size_t serving = 0;
  {
    MutexLock lock(mu);
    serving = static_cast<size_t>(wanted);
  }
  const size_t share = (total + serving - 1) / std::max<size_t>(1, serving);
  for (const MemberPtr& m : all) {
    if (m->load() > share) AskToLeave(m, m->load() - share);
  }
}

void LoopPool::Impl::AskToLeave(const MemberPtr& from, size_t count) {
  from->loop.PostFunction([this, from, count] {
    // After output: with nothing of this iteration under way most connections can go at once.
    from->loop.AfterOutput([this, from, count] {
      size_t left = count;
      from->loop.ForEachConnection([&](Connection& connection) {
        if (left == 0) return;
        --left;
        const MemberPtr target = Target(from->loop);
        if (target == nullptr) return;
        moves_asked.fetch_add(1, std::memory_order_relaxed);
        if (connection.handler() != nullptr) {
          connection.handler()->OnMoveWanted(connection, target->loop);
        }
        target->promised.fetch_sub(1);
      });
    });
  });
}

LoopPool::LoopPool(const LoopOptions& options, std::function<void(Loop&)> setup)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  impl_->setup = std::move(setup);
}

LoopPool::~LoopPool() { Stop(); }

Loop& LoopPool::Prepare() {
  MutexLock one_at_a_time(impl_->resize_mu);
  MemberPtr member = impl_->Make(0);
  MutexLock lock(impl_->mu);
  KIWI_CHECK(impl_->members.empty(), "a network pool is prepared once, before its start");
  impl_->members.push_back(member);
  return member->loop;
}

Status LoopPool::Start(int loops) { return Resize(loops); }

Status LoopPool::Resize(int loops) {
  KIWI_CHECK(loops >= 1, "a network pool has at least one loop");
  {
    MutexLock one_at_a_time(impl_->resize_mu);
    {
      MutexLock lock(impl_->mu);
      if (impl_->stopped) return Status(StatusCode::kAborted, "the network pool has stopped");
    }
    const Status grown = impl_->Grow(loops);
    {
      MutexLock lock(impl_->mu);
      int serving = 0;
      for (const MemberPtr& m : impl_->members) {
        if (!m->draining && ++serving > loops) m->draining = true;
      }
      impl_->wanted = std::min(serving, loops);
    }
    KIWI_RETURN_IF_ERROR(grown);
    impl_->Rebalance();
  }
  Maintain();
  return Status::Ok();
}

void LoopPool::Maintain() {
  MutexLock one_at_a_time(impl_->resize_mu);
  std::vector<MemberPtr> empty;
  std::vector<MemberPtr> asked;
  {
    MutexLock lock(impl_->mu);
    std::erase_if(impl_->members, [&](const MemberPtr& m) {
      if (!m->draining) return false;
      const bool needed = m->needed();
      (needed ? asked : empty).push_back(m);
      return !needed;
    });
  }
  for (const MemberPtr& m : asked) impl_->AskToLeave(m, m->load());
  for (const MemberPtr& m : empty) {
    m->loop.Stop();
    MutexLock lock(impl_->mu);
    impl_->gone_ns += SystemClock().MonotonicNs() - m->started_ns;
    Add(m->loop.stats(), &impl_->gone);
  }
}

void LoopPool::Stop() {
  MutexLock one_at_a_time(impl_->resize_mu);
  {
    MutexLock lock(impl_->mu);
    impl_->stopped = true;
  }
  // The objects stay until all have stopped: a connection may be on its way between two of them.
  for (const MemberPtr& m : impl_->Members()) m->loop.Stop();
}

void LoopPool::Place(int fd, std::function<void(Loop&, int fd)> adopt) {
  MemberPtr target;
  {
    MutexLock lock(impl_->mu);
    if (!impl_->stopped) target = impl_->LeastLoaded();
    if (target != nullptr) target->promised.fetch_add(1);
  }
  if (target == nullptr) {
    ::close(fd);
    return;
  }
  if (target->loop.InLoopThread()) {  // spares the accepting loop a task
    adopt(target->loop, fd);
    target->promised.fetch_sub(1);
    return;
  }
  const bool posted = target->loop.PostFunction([target, fd, fn = std::move(adopt)] {
    fn(target->loop, fd);
    target->promised.fetch_sub(1);
  });
  if (!posted) {
    ::close(fd);
    target->promised.fetch_sub(1);
  }
}

bool LoopPool::MoveAway(Connection& connection, std::function<void(Connection&)> done) {
  const MemberPtr target = impl_->Target(connection.loop());
  if (target == nullptr) return false;
  connection.MoveTo(target->loop, std::move(done));
  target->promised.fetch_sub(1);  // from here on the loop counts it by itself
  return true;
}

Loop& LoopPool::first() {
  MutexLock lock(impl_->mu);
  KIWI_CHECK(!impl_->members.empty(), "the network pool has not been started");
  return impl_->members.front()->loop;
}

void LoopPool::WakeOne() {
  MutexLock lock(impl_->mu);
  if (impl_->members.empty()) return;
  impl_->members[impl_->next_to_wake++ % impl_->members.size()]->loop.Wake();
}

int LoopPool::size() const {
  MutexLock lock(impl_->mu);
  return impl_->wanted;
}

int LoopPool::alive() const {
  MutexLock lock(impl_->mu);
  return impl_->stopped ? 0 : static_cast<int>(impl_->members.size());
}

size_t LoopPool::connection_count() const {
  size_t n = 0;
  for (const MemberPtr& m : impl_->Members()) n += m->loop.connection_count();
  return n;
}

void LoopPool::ForEachLoop(const std::function<void(Loop&)>& fn) const {
  for (const MemberPtr& m : impl_->Members()) fn(m->loop);
}

LoopPoolStats LoopPool::stats() const {
  LoopPoolStats s;
  const int64_t now = SystemClock().MonotonicNs();
  MutexLock lock(impl_->mu);
  s.wanted = impl_->wanted;
  s.alive = impl_->stopped ? 0 : static_cast<int>(impl_->members.size());
  s.loops_started = impl_->started;
  s.moves_asked = impl_->moves_asked.load(std::memory_order_relaxed);
  s.alive_loop_ns = impl_->gone_ns;
  s.totals = impl_->gone;
  for (const MemberPtr& m : impl_->members) {
    if (m->started_ns != 0) s.alive_loop_ns += now - m->started_ns;
    Add(m->loop.stats(), &s.totals);
  }
  return s;
}

}  // namespace kiwi::net
