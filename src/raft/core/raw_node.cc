#include "raft/core/raw_node.h"

#include <utility>

#include "raft/core/core.h"
#include "raft/core/invariants.h"

namespace kiwi::raft {
namespace {

// After each step that may change something; in debug builds and in the simulator's.
inline void CheckStep([[maybe_unused]] const Core& core) {
#if defined(KIWI_RAFT_INVARIANTS) || !defined(NDEBUG)
  NodeInvariants::Check(core);
#endif
}

}  // namespace

RawNode::RawNode(std::unique_ptr<Core> core) : core_(std::move(core)) {}
RawNode::~RawNode() = default;

Result<std::unique_ptr<RawNode>> RawNode::Create(const CoreOptions& options, const LogReader* log) {
  KIWI_ASSIGN_OR_RETURN(auto core, Core::Create(options, log));
  CheckStep(*core);
  return std::unique_ptr<RawNode>(new RawNode(std::move(core)));
}

void RawNode::Tick(uint64_t count) {
  core_->Tick(count);
  CheckStep(*core_);
}

Status RawNode::Campaign() {
  Status status = core_->Campaign();
  CheckStep(*core_);
  return status;
}

Status RawNode::CanPropose(uint64_t bytes) const { return core_->CanPropose(bytes); }

Result<ProposeResult> RawNode::Propose(Payload data) {
  auto result = core_->Propose(std::move(data));
  CheckStep(*core_);
  return result;
}

Result<ProposeResult> RawNode::ProposeConfChange(const ConfChange& change) {
  auto result = core_->ProposeConfChange(change);
  CheckStep(*core_);
  return result;
}

Result<ConfState> RawNode::ApplyConfChange(const ConfChange& change) {
  auto result = core_->ApplyConfChange(change);
  CheckStep(*core_);
  return result;
}

Status RawNode::Step(Message message) {
  Status status = core_->Step(std::move(message));
  CheckStep(*core_);
  return status;
}

Result<uint64_t> RawNode::ReadIndex() {
  auto result = core_->ReadIndex();
  CheckStep(*core_);
  return result;
}

bool RawNode::LeaseReadAllowed() const { return core_->LeaseReadAllowed(); }
uint64_t RawNode::LeaseEndTick() const { return core_->LeaseEndTick(); }

Status RawNode::TransferLeadership(NodeId target) {
  Status status = core_->TransferLeadership(target);
  CheckStep(*core_);
  return status;
}

void RawNode::ReportUnreachable(NodeId id) {
  core_->ReportUnreachable(id);
  CheckStep(*core_);
}

void RawNode::ReportSnapshot(NodeId id, bool success) {
  core_->ReportSnapshot(id, success);
  CheckStep(*core_);
}

bool RawNode::HasReady() const { return core_->HasReady(); }

Ready RawNode::TakeReady() {
  Ready ready = core_->TakeReady();
  CheckStep(*core_);
  return ready;
}

void RawNode::Advance(uint64_t ready_number) { core_->Advance(ready_number); }

void RawNode::OnPersisted(uint64_t ready_number) {
  core_->OnPersisted(ready_number);
  CheckStep(*core_);
}

void RawNode::OnApplied(LogIndex index) {
  core_->OnApplied(index);
  CheckStep(*core_);
}

void RawNode::OnEntriesFetched() {
  core_->OnEntriesFetched();
  CheckStep(*core_);
}

void RawNode::ReadAgain() {
  core_->ReadAgain();
  CheckStep(*core_);
}

NodeId RawNode::id() const { return core_->id(); }
Role RawNode::role() const { return core_->role(); }
NodeId RawNode::leader() const { return core_->leader(); }
Term RawNode::term() const { return core_->term(); }
LogIndex RawNode::commit_index() const { return core_->commit(); }
LogIndex RawNode::applied_index() const { return core_->applied(); }
LogIndex RawNode::last_index() const { return core_->log().LastIndex(); }
LogIndex RawNode::first_index() const { return core_->log().FirstIndex(); }
const ConfState& RawNode::conf_state() const { return core_->conf(); }
bool RawNode::distrusted() const { return core_->distrusted(); }
void RawNode::Trust() { core_->Trust(); }
const Status& RawNode::error() const { return core_->error(); }

std::vector<RawNode::PeerProgress> RawNode::Progress() const {
  std::vector<PeerProgress> peers;
  for (const auto& pr : core_->progress()) {
    peers.push_back({pr.id, pr.match, pr.next, ProgressStateName(pr.state),
                     pr.recently_active || pr.id == id(), pr.learner, pr.pending_snapshot});
  }
  return peers;
}

}  // namespace kiwi::raft
