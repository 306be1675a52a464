// Writes that arrive at a follower: it sends their records to the leader, which puts them into its
// entries under a kOrigin record. Every node applies them; the one they came from recognises them as
// its own by (incarnation, sequence) and answers its clients out of its own applier. So the leader
// sends back nothing but refusals.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "raft/core/types.h"
#include "raft/node/entry_codec.h"
#include "raft/node/proposal.h"

namespace kiwi::raft {

// The proposals of this node that are under way to, or in, another node's log. Each leaves it exactly
// once: to be applied, or to fail. Thread-safe.
class ForwardedProposals {
 public:
  explicit ForwardedProposals(uint64_t incarnation) : incarnation_(incarnation) {}
  uint64_t incarnation() const { return incarnation_; }

  // Numbers for so many proposals; returns the first one's, the others follow.
  uint64_t Reserve(size_t count) KIWI_EXCLUDES(mu_);
  // The message for the leader that holds them. Copies their records and holds no lock meanwhile.
  std::string Encode(uint64_t first_sequence, const std::vector<Proposal*>& proposals) const;
  // They are under way from now on, and fail with what else is.
  void Add(uint64_t first_sequence, const std::vector<Proposal*>& proposals) KIWI_EXCLUDES(mu_);
  // The message was never sent.
  void Undo(uint64_t first_sequence, size_t count) KIWI_EXCLUDES(mu_);
  // Null: not (or no longer) here.
  Proposal* Take(uint64_t incarnation, uint64_t sequence) KIWI_EXCLUDES(mu_);
  std::vector<Proposal*> TakeAll() KIWI_EXCLUDES(mu_);
  // The proposals that an answer names, with what became of them; all with kUnknown, if it is
  // damaged or says that the leader could not tell which ones a message held.
  struct Refused {
    Proposal* proposal;
    ProposalError error;
  };
  std::vector<Refused> TakeRefused(std::string_view answer);
  size_t bytes() const KIWI_EXCLUDES(mu_);  // records under way

 private:
  Proposal* TakeLocked(uint64_t sequence) KIWI_REQUIRES(mu_);

  const uint64_t incarnation_;
  mutable Mutex mu_;
  uint64_t next_sequence_ KIWI_GUARDED_BY(mu_) = 1;
  size_t bytes_ KIWI_GUARDED_BY(mu_) = 0;
  std::unordered_map<uint64_t, Proposal*> under_way_ KIWI_GUARDED_BY(mu_);
};

// A follower's proposal at the leader. Owns itself: gone after Replayed or Failed.
class RemoteProposal final : public Proposal {
 public:
  // answer(origin node, bytes) carries a refusal back.
  using Answer = std::function<void(NodeId, std::string)>;

  // kCorruption when the message means nothing; then none is made, and RefusalOf answers it. The
  // proposals share the message: nothing of it is copied, however large it is.
  static Result<std::vector<RemoteProposal*>> Decode(
      NodeId from, const std::shared_ptr<const std::string>& message, const Answer& answer);
  // The answer to a message that was not taken: kUnreadable for each proposal that is recognised
  // in it. What is behind the damage nobody can name: then all that is under way is unknown.
  static std::string RefusalOf(std::string_view message);

  std::string_view records() const override { return records_; }
  std::string_view origin_record() const override { return origin_record_; }
  runtime::Priority priority() const override { return priority_; }
  bool slow() const override { return slow_; }
  bool remote() const override { return true; }
  void Replayed() override;
  void Failed(ProposalError error) override;

 private:
  RemoteProposal() = default;

  std::shared_ptr<const std::string> message_;
  std::string_view records_;  // in the message
  std::string origin_record_;
  runtime::Priority priority_ = runtime::Priority::kNormal;
  bool slow_ = false;
  Origin origin_;
  Answer answer_;
};

}  // namespace kiwi::raft
