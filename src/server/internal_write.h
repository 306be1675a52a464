// A write that the server itself proposes: active expiry, DEBUG POPULATE.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "raft/node/node.h"
#include "server/applier.h"

namespace kiwi::server {

// Owns itself: done() is called exactly once, on the applying thread, then it is gone.
class InternalWrite final : public LocalProposal {
 public:
  // reply: the command's, in RESP2; an error reply if it was never proposed, or its outcome is not
  // known.
  using Done = std::function<void(std::string reply)>;

  // The command is a write of the table; args[0] is its name. Node::Kick once after a round of them.
  static void Propose(raft::Node& node, runtime::Priority priority, int db,
                      const std::vector<std::string>& args, Done done);

  std::string_view records() const override { return record_; }
  runtime::Priority priority() const override { return priority_; }
  bool slow() const override { return true; }
  void Failed(raft::ProposalError error) override;
  bool ApplyLocal(Applier& applier, ApplyPosition& position) override;

 private:
  InternalWrite(runtime::Priority priority, int db, const std::vector<std::string>& args,
                Done done);
  void Finish(std::string reply);

  const runtime::Priority priority_;
  const int db_;
  const std::vector<std::string> args_;
  std::string record_;
  Done done_;
};

// Proposes one and waits for its reply. Not on a net loop, nor while shard locks are held.
std::string ExecuteInternalWrite(raft::Node& node, int db, const std::vector<std::string>& args);

}  // namespace kiwi::server
