#include "server/internal_write.h"

#include <chrono>

#include "base/mutex.h"
#include "server/executor.h"

namespace kiwi::server {

InternalWrite::InternalWrite(runtime::Priority priority, int db,
                             const std::vector<std::string>& args, Done done)
    : priority_(priority), db_(db), args_(args), done_(std::move(done)) {
  const std::vector<std::string_view> views(args_.begin(), args_.end());
  raft::AppendCommand(static_cast<uint64_t>(db), views, &record_);
}

void InternalWrite::Propose(raft::Node& node, runtime::Priority priority, int db,
                            const std::vector<std::string>& args, Done done) {
  // Freed by Finish, which the node brings about in every case.
  auto write =
      std::unique_ptr<InternalWrite>(new InternalWrite(priority, db, args, std::move(done)));
  node.Propose(write.release());
}

bool InternalWrite::ApplyLocal(Applier& applier, ApplyPosition& position) {
  const std::vector<std::string_view> views(args_.begin(), args_.end());
  const commands::Command* command = commands::CommandTable::Get().Find(views);
  KIWI_CHECK(command != nullptr, "an internal write that the table does not know");
  std::string text;
  protocol::ReplyWriter reply(&text, 2);
  if (!applier.RunWrite(position, *command, views, db_, reply)) return false;
  Finish(std::move(text));
  return true;
}

void InternalWrite::Failed(raft::ProposalError error) {
  std::string text;
  protocol::ReplyWriter(&text, 2).Error(ProposalErrorText(error));
  Finish(std::move(text));
}

std::string ExecuteInternalWrite(raft::Node& node, int db, const std::vector<std::string>& args) {
  struct Outcome {
    Mutex mu;
    CondVar done;
    bool ready KIWI_GUARDED_BY(mu) = false;
    std::string reply KIWI_GUARDED_BY(mu);
  };
  auto outcome = std::make_shared<Outcome>();
  InternalWrite::Propose(node, runtime::Priority::kNormal, db, args, [outcome](std::string reply) {
    MutexLock lock(outcome->mu);
    outcome->reply = std::move(reply);
    outcome->ready = true;
    outcome->done.NotifyAll();
  });
  node.Kick(false);
  for (;;) {
    {
      MutexLock lock(outcome->mu);
      if (!outcome->ready) outcome->done.WaitFor(outcome->mu, std::chrono::milliseconds(1));
      if (outcome->ready) return outcome->reply;
    }
    node.ApplyCommitted(false);  // this may be the only worker: it must not wait for another
  }
}

void InternalWrite::Finish(std::string reply) {
  const std::unique_ptr<InternalWrite> self(this);
  done_(std::move(reply));
}

}  // namespace kiwi::server
