// How a node reaches the others; implemented over the transport by the server. Nothing here blocks;
// called from any thread, also under the node's locks, so it must not call back into the node.
#pragma once

#include <string>

#include "base/status.h"
#include "raft/core/message.h"
#include "raft/core/storage.h"
#include "raft/node/members.h"

namespace kiwi::raft {

class Peers {
 public:
  virtual ~Peers() = default;
  // May lose it.
  virtual void Send(Message message) = 0;
  // The message that offers a snapshot: brings the peer one, then tells ReportSnapshot.
  virtual void SendSnapshot(Message message) = 0;
  // Proposals on their way to the leader (forwarding.h), in order. An error: surely never sent. Once
  // taken, it arrives or ForwardDown is told.
  virtual Status Forward(NodeId leader, std::string proposals) = 0;
  // What became of them, back to the node they came from. May be lost with the stream.
  virtual void AnswerForward(NodeId origin, std::string answer) = 0;
  // After a change was applied, and once at the start.
  virtual void MembersChanged(const Membership& membership) = 0;
  // A leader tells all members what the group's clock shows.
  virtual void TellTime(int64_t /*group_ms*/) {}
  // Entries above it are wanted behind a snapshot that is on its way; the largest value: none are.
  virtual LogIndex WantedLogEnd() const { return kNoLimit; }
  virtual void LeaderChanged(bool /*leading*/) {}
};

}  // namespace kiwi::raft
