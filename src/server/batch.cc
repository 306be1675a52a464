#include "server/batch.h"

#include "base/ticks.h"
#include "server/executor.h"
#include "server/session.h"
#include "server/urgent.h"

namespace kiwi::server {
namespace {

// Buffers that one large batch has grown are not kept beyond it.
constexpr size_t kMaxKeptBuffer = 64 << 10;

void ClearBounded(std::string* s) {
  s->clear();
  if (s->capacity() > kMaxKeptBuffer) s->shrink_to_fit();
}

}  // namespace

void Batch::TakeInput(net::Connection& connection, size_t size) {
  block_ = connection.input().Take();
  connection.input().Consume(size);
  input_bytes_ = size;
}

void Batch::Reset() {
  args.clear();
  items.clear();
  read_grant = ReadGrant::kNone;
  reads_refused = wait_over = false;
  has_slow = has_write = has_keys = has_own_pace = false;
  next = pass_begin = applied = attached_reads = 0;
  pass_slow = false;
  times = {};
  expired.clear();
  ClearBounded(&replies);
  ClearBounded(&side);
  ClearBounded(&encoded);
  block_.Reset();
  input_bytes_ = 0;
}

void Batch::Run() {
  const RunningAt level(batch_priority);
  if (rest.pending()) [[unlikely]] {
    return executor_->RunRest(*this);
  }
  if (timed) times.dequeued = Ticks::Now();
  executor_->AskBreaker(*this);
  executor_->RunPass(*this);
}

void Batch::RunOnLoop() { session_->OnPassDone(); }

bool Batch::ApplyLocal(Applier& applier, ApplyPosition& position) {
  return applier.ApplyBatch(position, *this);
}

void Batch::ReadReady(raft::ReadProof proof) {
  read_grant = proof == raft::ReadProof::kLease ? ReadGrant::kLease : ReadGrant::kQuorum;
  executor_->Resume(*this);
}

void Batch::ReadRefused() {
  reads_refused = true;
  executor_->Resume(*this);
}

void Batch::Failed(raft::ProposalError error) { executor_->FailPass(*this, error); }

}  // namespace kiwi::server
