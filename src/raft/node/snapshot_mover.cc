#include "raft/node/snapshot_mover.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "raft/node/snapshot_receiver.h"
#include "raft/node/snapshot_sender.h"

namespace kiwi::raft {
namespace {

// While a transfer is under way or kept the thread looks at the clock at least so often: a clock
// may be a test's.
constexpr int64_t kWaitMaxMs = 100;
// What one peer may have waiting: a window, and another where a damaged chunk made it begin anew
// while what lay behind the chunk is still on its way; beginnings and answers beside them.
constexpr size_t kInboxWindows = 2;
constexpr size_t kInboxSpare = 16;
constexpr size_t kInboxSpareBytes = 64 << 10;
// Events between two rounds of sending.
constexpr int kEventsPerRound = 32;

}  // namespace

SnapshotMover::SnapshotMover(const SnapshotMoverOptions& options, StateMachine* machine,
                             SnapshotHost* host, SnapshotWire* wire, Clock* clock)
    : options_(options),
      inbox_bytes_max_(kInboxWindows * static_cast<size_t>(options.window_chunks) *
                           (kSnapshotChunkBytes + kSnapshotChunkHeaderMax) +
                       kInboxSpareBytes),
      inbox_count_max_(2 * kInboxWindows * static_cast<size_t>(options.window_chunks) +
                       kInboxSpare),
      lowest_served_(std::numeric_limits<LogIndex>::max()),
      sender_(std::make_unique<SnapshotSender>(options, machine, host, wire, clock)),
      receiver_(std::make_unique<SnapshotReceiver>(options, machine, host, wire, clock)) {
  SetRate(options.bytes_per_second);
}

SnapshotMover::~SnapshotMover() { Stop(); }

void SnapshotMover::Start() {
  thread_ = std::thread([this] { Run(); });
}

void SnapshotMover::Stop() {
  {
    MutexLock lock(mu_);
    stopping_.store(true);
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  // Readers and stages do not outlive the machine.
  sender_.reset();
  receiver_.reset();
}

void SnapshotMover::Send(Message message) {
  MutexLock lock(mu_);
  Message& order = orders_[message.to];
  if (order.term <= message.term) order = std::move(message);
  Wake();
}

void SnapshotMover::CancelSending() {
  MutexLock lock(mu_);
  cancel_ = true;
  orders_.clear();
  Wake();
}

void SnapshotMover::SetRate(uint64_t bytes_per_second) {
  const uint64_t rate =
      bytes_per_second == 0 ? 0 : std::max<uint64_t>(bytes_per_second, kMinBytesPerSecond);
  rate_.store(rate, std::memory_order_relaxed);
  MutexLock lock(mu_);
  Wake();
}

void SnapshotMover::OnService(NodeId from, ServiceKind kind, std::string&& payload) {
  MutexLock lock(mu_);
  if (stopping_.load()) return;
  PeerInbox& inbox = inboxes_[from];
  if (inbox.overflowed) return;
  Event event{EventType::kService, from, kind, ServiceEnd::kOurs, {}};
  if (inbox.bytes + payload.size() > inbox_bytes_max_ || inbox.count >= inbox_count_max_) {
    inbox.overflowed = true;
    event.type = EventType::kOverflow;
  } else {
    event.payload = std::move(payload);
    inbox.down_last = {};
  }
  Queue(std::move(event));
}

void SnapshotMover::OnServiceDown(NodeId peer, ServiceEnd end) {
  MutexLock lock(mu_);
  if (stopping_.load()) return;
  bool& told = inboxes_[peer].down_last[static_cast<size_t>(end)];
  if (told) return;
  told = true;
  Queue({EventType::kDown, peer, 0, end, {}});
}

void SnapshotMover::Queue(Event event) {
  PeerInbox& inbox = inboxes_[event.peer];
  inbox.bytes += event.payload.size();
  ++inbox.count;
  queued_bytes_ += event.payload.size();
  events_.push_back(std::move(event));
  Wake();
}

void SnapshotMover::Wake() {
  woken_ = true;
  wake_.NotifyAll();
}

bool SnapshotMover::TakeEvent(Event* event) {
  MutexLock lock(mu_);
  if (events_.empty()) return false;
  *event = std::move(events_.front());
  events_.pop_front();
  queued_bytes_ -= event->payload.size();
  const auto it = inboxes_.find(event->peer);
  PeerInbox& inbox = it->second;
  inbox.bytes -= event->payload.size();
  if (event->type == EventType::kOverflow) inbox.overflowed = false;
  if (event->type == EventType::kDown) {
    inbox.down_last[static_cast<size_t>(event->end)] = false;
  }
  if (--inbox.count == 0) inboxes_.erase(it);
  return true;
}

void SnapshotMover::Handle(const Event& event) {
  switch (event.type) {
    case EventType::kService:
      if (event.kind == kSnapshotReplyKind) {
        sender_->OnAck(event.peer, event.payload);
      } else if (event.kind == kSnapshotRequestKind) {
        receiver_->OnRequest(event.peer, event.payload);
      }
      break;
    case EventType::kDown:
      if (event.end == ServiceEnd::kOurs) {
        sender_->OnBroken(event.peer, {StatusCode::kNetwork, "the stream to the peer broke"});
      } else {
        receiver_->OnBroken(event.peer);
      }
      break;
    case EventType::kOverflow:
      sender_->OnBroken(event.peer, {StatusCode::kBusy, "the peer sends more than was asked for"});
      receiver_->OnOverflow(event.peer);
      break;
  }
}

void SnapshotMover::TakeOrders() {
  std::map<NodeId, Message> orders;
  bool cancel = false;
  {
    MutexLock lock(mu_);
    orders.swap(orders_);
    cancel = std::exchange(cancel_, false);
  }
  if (cancel) sender_->CancelAll();
  for (auto& [peer, message] : orders) sender_->Begin(std::move(message));
}

void SnapshotMover::Publish() {
  lowest_served_.store(sender_->LowestServedIndex(), std::memory_order_release);
  std::vector<SnapshotProgress> progress;
  sender_->AppendProgress(&progress);
  receiver_->AppendProgress(&progress);
  MutexLock lock(mu_);
  progress_ = std::move(progress);
}

void SnapshotMover::WaitForWork(int64_t wait_ms) {
  MutexLock lock(mu_);
  if (!woken_ && !stopping_.load()) {
    if (wait_ms == SnapshotSender::kForever) {
      wake_.Wait(mu_);
    } else {
      wake_.WaitFor(mu_, std::chrono::milliseconds(std::min(wait_ms, kWaitMaxMs)));
    }
  }
  woken_ = false;
}

void SnapshotMover::Run() {
  pthread_setname_np(pthread_self(), "kiwi-snapshot");
  while (!stopping_.load()) {
    TakeOrders();
    Event event;
    int events = 0;
    while (events < kEventsPerRound && !stopping_.load() && TakeEvent(&event)) {
      Handle(event);
      ++events;
    }
    if (stopping_.load()) return;
    int64_t wait = sender_->Poll(rate_.load(std::memory_order_relaxed));
    const int64_t receiver_wait = receiver_->Poll();
    if (wait == SnapshotSender::kForever || (receiver_wait >= 0 && receiver_wait < wait)) {
      wait = receiver_wait;
    }
    Publish();
    if (wait != 0 && events < kEventsPerRound) WaitForWork(wait);
  }
}

std::vector<SnapshotProgress> SnapshotMover::progress() const {
  MutexLock lock(mu_);
  return progress_;
}

size_t SnapshotMover::queued_bytes() const {
  MutexLock lock(mu_);
  return queued_bytes_;
}

}  // namespace kiwi::raft
