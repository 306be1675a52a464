// The node's life with others: messages, time, leadership, reads that need a quorum, membership.
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "base/log.h"
#include "raft/node/node.h"

namespace kiwi::raft {
namespace {

constexpr uint64_t kTicksBetweenTime = 5;
// A read whose moment is confirmed waits so many times longer for this node to come that far.
constexpr int64_t kPatienceBehind = 20;
constexpr int64_t kNoEnd = std::numeric_limits<int64_t>::max();

}  // namespace

// --- what follows from a call of the core ---

Node::Consequences Node::Settle() {
  TakeReadys();
  AskReads();
  TakeReadys();
  UpdateReadAllowed();
  if (distrusted_.load() && !core_->distrusted()) {
    KIWI_LOG(kInfo, "a leader has caught this node up: it votes again term={}", core_->term());
    distrusted_ = false;
  }
  Consequences consequences;
  consequences.log = !next_work_.empty();
  consequences.apply = !committed_.empty();
  for (const Committed& c : committed_) {
    consequences.fast = consequences.fast && c.ours && !c.origin.slow;
  }
  if (!reads_.empty()) {
    reads_.TakeReady(applied_index(), &consequences.reads);
    if (fresh_ns_.load(std::memory_order_relaxed) != reads_.fresh_ns()) {
      fresh_ns_.store(reads_.fresh_ns(), std::memory_order_release);
      refreshing_ = false;
    }
  }
  if (!core_->error().ok()) {
    reads_.TakeBehind(kNoEnd, &consequences.late_reads);
    if (!storage_failed()) consequences.read_error = core_->error();
  }
  return consequences;
}

void Node::Dispatch(const Consequences& consequences) {
  // The owner looks once more after it lets go.
  if (consequences.log && !log_owned_.load()) WakeLogThread();
  if (consequences.apply) schedule_apply_(consequences.fast);
  for (const ReadQueue::Ready& read : consequences.reads) read.waiter->ReadReady(read.proof);
  for (ReadWaiter* read : consequences.late_reads) read->ReadRefused();
  // Nothing more would be applied: whoever waits for that is told.
  if (!consequences.read_error.ok()) StorageFailed(consequences.read_error);
}

void Node::SendAll(std::vector<Message>* messages) {
  for (Message& message : *messages) {
    meter_.OnSent(message);
    if (message.type == MessageType::kSnapshot) {
      peers_->SendSnapshot(std::move(message));
    } else {
      peers_->Send(std::move(message));
    }
  }
  messages->clear();
}

void Node::OnSoftState(const SoftState& state) {
  meter_.OnSoftState(state, clock_->MonotonicNs());
  const NodeId before = leader_.exchange(state.leader, std::memory_order_acq_rel);
  if (before == state.leader) return;
  KIWI_LOG(kInfo, "raft leader={} term={} node={} applied={}", state.leader, core_->term(),
           options_.core.id, applied_index());
  // What was under way in the old leadership may have been committed or not.
  if (before == options_.core.id) {
    for (InFlight& entry : in_flight_) FailAll(&entry.proposals, ProposalError::kUnknown);
  }
  FailForwarded();
  if (peers_ != nullptr) {
    peers_->LeaderChanged(state.leader == options_.core.id);
    TellTime();
  }
  if (state.leader != kNoNode) {
    compose_blocked_ = false;
    blocked_since_ns_ = 0;
  }
}

// --- time ---

void Node::CatchUpTicks() {
  const int64_t passed_ns = clock_->MonotonicNs() - tick_base_ns_;
  const auto due = static_cast<uint64_t>(passed_ns / (options_.tick_ms * 1'000'000));
  if (due <= ticks_) return;
  if (!retired_.load()) core_->Tick(due - ticks_);
  ticks_ = due;
}

void Node::TellTime() {
  if (core_->role() != Role::kLeader || membership_.members.size() < 2) return;
  const int64_t now_ms = entry_clock_.WallMs();
  entry_clock_.Heard(now_ms);
  peers_->TellTime(now_ms);
}

void Node::TickThread() {
  pthread_setname_np(pthread_self(), "kiwi-tick");
  const auto tick = std::chrono::milliseconds(options_.tick_ms);
  while (!stopping_.load()) {
    std::this_thread::sleep_for(tick);
    Consequences consequences;
    {
      MutexLock lock(core_mu_);
      CatchUpTicks();
      if (ticks_ % kTicksBetweenTime == 0) TellTime();
      consequences = Settle();
      ExpireWaiting(clock_->MonotonicNs(), &consequences);
    }
    Dispatch(consequences);
  }
}

// What waits for a leader is refused after a while, and tried again until then.
void Node::ExpireWaiting(int64_t now_ns, Consequences* consequences) {
  const int64_t patience_ns = options_.leader_wait_ms * 1'000'000;
  if (blocked_since_ns_ != 0 && now_ns - blocked_since_ns_ > patience_ns) {
    RefuseWaiting(ProposalError::kNotLeader);
  } else if (compose_blocked_.exchange(false)) {
    consequences->log = true;
  }
  refreshing_ = false;
  if (reads_.empty()) return;
  reads_.TakeLate(now_ns - patience_ns, &consequences->late_reads);
  // A node that is behind catches up, unless nobody sends it anything or it cannot write.
  const bool hopeless = leader() == kNoNode || storage_failed();
  const int64_t behind_ns = hopeless ? patience_ns : kPatienceBehind * patience_ns;
  reads_.TakeBehind(now_ns - behind_ns, &consequences->late_reads);
}

// --- messages ---

void Node::Step(Message message) {
  if (message.type == MessageType::kSnapshot) {  // comes with its state, through SnapshotStaged
    KIWI_LOG(kWarn, "snapshot without a state ignored from={}", message.from);
    return;
  }
  Consequences consequences;
  {
    MutexLock lock(core_mu_);
    if (stopping_.load() || retired_.load()) return;
    CatchUpTicks();
    const NodeId from = message.from;
    meter_.OnReceived(message);
    // One that was joined to a group begins with a snapshot: what lay before the log's first entry
    // (the seed of the keyspace's order) is in no entry.
    if (message.type == MessageType::kAppend && message.index == 0 && conf_state_.voters.empty()) {
      return;
    }
    if (const Status s = core_->Step(std::move(message)); !s.ok()) {
      KIWI_LOG(kWarn, "message ignored from={} error=\"{}\"", from, s.ToString());
    }
    consequences = Settle();
  }
  Dispatch(consequences);
}

void Node::OnUnreachable(NodeId peer) {
  MutexLock lock(core_mu_);
  core_->ReportUnreachable(peer);
}

void Node::ReportSnapshot(NodeId peer, bool success) {
  Consequences consequences;
  {
    MutexLock lock(core_mu_);
    core_->ReportSnapshot(peer, success);
    consequences = Settle();
  }
  Dispatch(consequences);
}

// --- forwarded writes ---

void Node::OnForward(NodeId from, std::string proposals) {
  const auto message = std::make_shared<const std::string>(std::move(proposals));
  auto read = RemoteProposal::Decode(from, message, [this](NodeId origin, std::string answer) {
    peers_->AnswerForward(origin, std::move(answer));
  });
  if (!read.ok()) {
    KIWI_LOG(kWarn, "forwarded writes refused from={} error=\"{}\"", from,
             read.status().ToString());
    return peers_->AnswerForward(from, RemoteProposal::RefusalOf(*message));
  }
  const bool leading = is_leader();
  for (RemoteProposal* proposal : *read) {
    if (leading) {
      Propose(proposal);
    } else {
      proposal->Failed(ProposalError::kNotLeader);
    }
  }
  if (leading && !log_owned_.load()) WakeLogThread();
}

void Node::OnForwardAnswer(std::string_view answer) {
  MutexLock lock(core_mu_);  // it may name all that is under way, as FailForwarded does
  for (const auto& [proposal, error] : forwarded_.TakeRefused(answer)) {
    const bool elsewhere = error == ProposalError::kNotLeader || error == ProposalError::kShutdown;
    // It was not proposed there: another leader may take it.
    if (!elsewhere || !queue_.Push(proposal)) proposal->Failed(error);
  }
  BlockComposing();  // until the next tick: who leads has to become known first
}

void Node::OnForwardDown(NodeId peer) {
  MutexLock lock(core_mu_);
  if (peer == leader()) FailForwarded();
}

void Node::FailForwarded() {
  std::vector<Proposal*> lost = forwarded_.TakeAll();
  FailAll(&lost, ProposalError::kUnknown);
}

void Node::OnForwardUp() {
  compose_blocked_ = false;
  WakeLogThread();
}

// --- reads ---

void Node::AskReads() {
  if (!reads_.WantsToAsk()) return;
  const int64_t now_ns = clock_->MonotonicNs();
  if (peers_ != nullptr) CatchUpTicks();  // a lease is judged by this moment
  if (read_mode_.load() == ReadMode::kLease && core_->LeaseReadAllowed()) {
    reads_.ConfirmNew(core_->commit_index(), now_ns);
  } else if (const Result<uint64_t> token = core_->ReadIndex(); token.ok()) {
    reads_.Asked(*token, now_ns);
  }
}

void Node::AwaitRead(ReadWaiter* waiter) {
  Consequences consequences;
  {
    MutexLock lock(core_mu_);
    if (stopping_.load()) {
      consequences.late_reads.push_back(waiter);
    } else {
      if (peers_ != nullptr) CatchUpTicks();
      reads_.Add(waiter, clock_->MonotonicNs());
      consequences = Settle();
    }
  }
  Dispatch(consequences);
}

// Renewed at half of the bound: an answer that comes in time spares the readers the wait for it.
bool Node::FreshWithin(int64_t staleness_ns) {
  const int64_t fresh_ns = fresh_ns_.load(std::memory_order_acquire);
  if (fresh_ns == ReadQueue::kNever) return false;
  const int64_t age_ns = clock_->MonotonicNs() - fresh_ns;
  if (age_ns > staleness_ns) return false;
  if (age_ns > staleness_ns / 2 && !refreshing_.load(std::memory_order_relaxed) &&
      !refreshing_.exchange(true)) {
    RefreshReads();
  }
  return true;
}

void Node::RefreshReads() {
  Consequences consequences;
  {
    MutexLock lock(core_mu_);
    if (stopping_.load() || retired_.load()) return;
    reads_.Refresh();
    consequences = Settle();
  }
  Dispatch(consequences);
}

// --- leadership and membership ---

void Node::Trust() {
  MutexLock lock(core_mu_);
  core_->Trust();
  distrusted_ = false;
}

Node::Furthest Node::FurthestPeer() const {
  Furthest best;
  for (const RawNode::PeerProgress& peer : core_->Progress()) {
    if (peer.id == options_.core.id || peer.learner || !peer.recently_active) continue;
    if (best.id == kNoNode || peer.match > best.match) best = {peer.id, peer.match};
  }
  return best;
}

Status Node::TransferLeadership(NodeId target) {
  Consequences consequences;
  Status status;
  {
    MutexLock lock(core_mu_);
    CatchUpTicks();
    if (target == kNoNode) target = FurthestPeer().id;
    if (target == kNoNode) return {StatusCode::kUnavailable, "no other voter is reachable"};
    status = core_->TransferLeadership(target);
    consequences = Settle();
  }
  Dispatch(consequences);
  return status;
}

void Node::StepDown(int64_t timeout_ms) {
  if (peers_ == nullptr || !is_leader() || !TransferLeadership(kNoNode).ok()) return;
  const int64_t deadline_ns = clock_->MonotonicNs() + timeout_ms * 1'000'000;
  while (is_leader() && clock_->MonotonicNs() < deadline_ns) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Membership Node::membership() const {
  MutexLock lock(core_mu_);
  return membership_;
}

std::optional<Member> Node::FindMember(NodeId id) const {
  MutexLock lock(core_mu_);
  const Member* const member = membership_.Find(id);
  return member != nullptr ? std::optional<Member>(*member) : std::nullopt;
}

void Node::SetClientAddress(NodeId id, std::string host, int port) {
  MutexLock lock(core_mu_);
  const Member* const known = membership_.Find(id);
  if (known == nullptr) return;
  Member member = *known;
  member.client_host = std::move(host);
  member.client_port = port;
  membership_.Put(member);
}

size_t Node::Replicas::With(LogIndex index) const {
  if (!known_) return assumed_;
  if (index == 0) return active_;
  return static_cast<size_t>(std::count_if(matches_.begin(), matches_.end(),
                                           [index](LogIndex match) { return match >= index; }));
}

Node::Replicas Node::CountReplicas() const {
  Replicas replicas;
  MutexLock lock(core_mu_);
  replicas.known_ = core_->role() == Role::kLeader;
  replicas.assumed_ = conf_state_.voters.size() / 2;
  if (!replicas.known_) return replicas;
  for (const RawNode::PeerProgress& peer : core_->Progress()) {
    if (peer.id == options_.core.id) continue;
    replicas.active_ += peer.recently_active;
    replicas.matches_.push_back(peer.match);
  }
  return replicas;
}

Result<ProposeResult> Node::ProposeConfChange(const ConfChange& change) {
  Consequences consequences;
  Result<ProposeResult> result = Status(StatusCode::kAborted, "not proposed");
  {
    MutexLock lock(core_mu_);
    result = core_->ProposeConfChange(change);
    consequences = Settle();
  }
  Dispatch(consequences);
  return result;
}

void Node::ApplyConfChange(const Entry& entry) {
  Result<ConfChange> change = DecodeConfChange(entry.bytes());
  KIWI_CHECK(change.ok(), "a committed membership change does not decode");
  MutexLock lock(core_mu_);
  Result<ConfState> state = core_->ApplyConfChange(*change);
  if (!state.ok()) {
    KIWI_LOG(kWarn, "membership change has no effect index={} error=\"{}\"", entry.index,
             state.status().ToString());
    return;
  }
  if (*state == conf_state_) return;
  conf_state_ = *state;
  next_work_.conf_state = *state;
  if (!change->context.empty()) {
    if (Result<Member> member = DecodeMember(change->context); member.ok()) {
      membership_.Put(*member);
    }
  }
  const auto in_group = [this](NodeId node) {
    for (const auto* list : {&conf_state_.voters, &conf_state_.learners,
                             &conf_state_.voters_outgoing, &conf_state_.learners_next}) {
      if (std::binary_search(list->begin(), list->end(), node)) return true;
    }
    return false;
  };
  std::erase_if(membership_.members, [&](const Member& m) { return !in_group(m.id); });
  KIWI_LOG(kInfo, "membership changed index={} voters={} learners={} members={}", entry.index,
           conf_state_.voters.size(), conf_state_.learners.size(), membership_.members.size());
  if (peers_ != nullptr) peers_->MembersChanged(membership_);
}

// --- snapshots ---

Status Node::SnapshotStaged(Message message, std::unique_ptr<SnapshotStage> stage) {
  Consequences consequences;
  Status stepped;
  std::shared_ptr<SnapshotStage> offered = std::move(stage);
  bool taken = false;
  {
    MutexLock lock(core_mu_);
    if (stopping_.load()) {
      stepped = {StatusCode::kAborted, "the server is shutting down"};
    } else {
      CatchUpTicks();
      staged_ = offered;
      stepped = core_->Step(std::move(message));
      consequences = Settle();
      staged_ = nullptr;
      taken = next_work_.stage == offered;
    }
  }
  if (!taken) {  // removed here: with no lock held
    offered->NotTaken();
    offered = nullptr;
  }
  Dispatch(consequences);
  return stepped;
}

void Node::TakeSnapshot(Ready* ready) {
  KIWI_CHECK(staged_ != nullptr, "the core takes a snapshot that nobody staged");
  next_work_.entries.clear();
  next_work_.snapshot = std::move(ready->snapshot);
  next_work_.conf_state.reset();
  next_work_.stage = staged_;
  next_work_.must_sync = true;
  compact_to_ = {};
}

void Node::InstallSnapshot(Committed& committed) {
  const SnapshotMeta& meta = committed.snapshot;
  entry_clock_.Observe(committed.stage->clock_ms());
  const Status status = machine_->InstallSnapshot(*committed.stage);
  if (!status.ok()) {
    KIWI_LOG(kError, "snapshot does not install index={} error=\"{}\"", meta.index,
             status.ToString());
    KIWI_CHECK(false, "the log has taken a snapshot that the state machine cannot");
  }
  entries_since_checkpoint_ = 0;
  bytes_since_checkpoint_ = 0;
  applied_term_.store(meta.term, std::memory_order_relaxed);
  applied_index_.store(meta.index, std::memory_order_release);
  KIWI_LOG(kInfo, "snapshot installed index={} term={}", meta.index, meta.term);
  MutexLock lock(core_mu_);
  // Their entries may be among those that are not applied one by one any more.
  FailForwarded();
  conf_state_ = meta.conf_state;
  if (const Membership* members = committed.stage->membership()) membership_ = *members;
  if (peers_ != nullptr) peers_->MembersChanged(membership_);
}

}  // namespace kiwi::raft
