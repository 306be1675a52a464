#include "server/loop_state.h"

#include <algorithm>
#include <vector>

#include "server/session.h"

namespace kiwi::server {

constexpr auto kRelaxed = std::memory_order_relaxed;

LoopState::~LoopState() {
  backpressure_->held_up.Add(held_up_);
  backpressure_->others.Add(others_);
}

void LoopState::Add(Session* session) { sessions_[session->id()] = session; }

void LoopState::Remove(const Session& session) { sessions_.erase(session.id()); }

void LoopState::CloseSession(uint64_t id, std::string_view reason) {
  const auto found = sessions_.find(id);
  if (found != sessions_.end()) found->second->CloseSoon(reason);
}

void LoopState::Tick(int64_t now_ms) {
  std::vector<Session*> sessions;  // a tick may close some
  sessions.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) sessions.push_back(session);
  for (Session* session : sessions) session->Tick(now_ms);
}

LoopState::WaitTicket LoopState::Wait(const Waiter& waiter) {
  if (waiter.refused) backpressure_->waiting_requests.fetch_add(waiter.requests, kRelaxed);
  return waiting_.insert(waiting_.end(), waiter);
}

void LoopState::StopWaiting(WaitTicket ticket) {
  if (ticket->refused) backpressure_->waiting_requests.fetch_sub(ticket->requests, kRelaxed);
  waiting_.erase(ticket);
}

void LoopState::ResubmitWaiting() {
  // Those that are refused again wait behind the others, for the next time.
  for (size_t n = waiting_.size(); n > 0 && !waiting_.empty(); --n) {
    waiting_.front().session->Resubmit();
  }
}

void LoopState::CountResponse(uint64_t ns) {
  response_ns_.store(response_ns_.load(kRelaxed) + ns, kRelaxed);
  responses_.store(responses_.load(kRelaxed) + 1, kRelaxed);
}

int64_t LoopState::TakeResponseUs() {
  const uint64_t responses = responses_.load(kRelaxed);
  const uint64_t ns = response_ns_.load(kRelaxed);
  const uint64_t count = responses - seen_responses_;
  const uint64_t spent = ns - seen_response_ns_;
  seen_responses_ = responses;
  seen_response_ns_ = ns;
  return count == 0 ? -1 : static_cast<int64_t>(spent / count / 1000);
}

int64_t LoopState::TakeDelayUs() {
  const net::LoopStats stats = loop_->stats();
  const uint64_t events = stats.reads + stats.tasks;
  const bool idle = events == seen_events_;
  seen_events_ = events;
  // An idle loop's smoothed figure is from the time before; an iteration that lasts shows at once.
  return std::max(loop_->busy_us(), idle ? 0 : loop_->iteration_us());
}

}  // namespace kiwi::server
