// Deliberate bugs, for the evidence that the tests find them (tests/sim, kiwi-sim-mutants). Only a
// test build with KIWI_MUTANTS contains them; everywhere else KIWI_MUTANT(x) is the constant false.
#pragma once

// X(name, what is broken)
#define KIWI_RAFT_MUTANTS(X)                                                                      \
  X(kVoteBeforePersist, "a vote leaves before it is durable")                                     \
  X(kSelfVoteBeforePersist, "a candidate counts its own vote before it is durable")               \
  X(kSelfAckBeforePersist, "a leader counts its own entries before they are durable")             \
  X(kAckBeforePersist, "an append is acknowledged before it is durable")                          \
  X(kApplyBeforePersist, "committed entries are applied before they are durable here")            \
  X(kPersistAba, "a late persistence answer acknowledges entries that replaced the written ones") \
  X(kHeartbeatBeforePersist, "a heartbeat is answered before its term is durable")                \
  X(kTailForgetsUndurable, "entries leave memory before they are durable")                        \
  X(kVoteNotPersisted, "the vote is not part of the stored hard state")                           \
  X(kVoteTwice, "a second vote in the same term")                                                 \
  X(kVoteIgnoresLog, "a vote for a candidate whose log is behind")                                \
  X(kVoteByLength, "logs are compared by length before term")                                     \
  X(kStaleTermAccepted, "an append of an older term is accepted")                                 \
  X(kCommitOldTerm, "an entry of an older term is committed by counting (Figure 8)")              \
  X(kCommitMinority, "half of the voters commit")                                                 \
  X(kJointUsesNewOnly, "a joint configuration counts only the new voters")                        \
  X(kLearnerCounts, "a learner's acknowledgement counts")                                         \
  X(kAppendUnchecked, "the entry before an append is not compared")                               \
  X(kTruncateOnOldAppend, "an old append cuts off what follows it")                               \
  X(kConflictKeepsSuffix, "a conflict overwrites without cutting off")                            \
  X(kCommitBeyondAppend, "a follower commits past what the append proved equal")                  \
  X(kHeartbeatCommitUnbounded, "a heartbeat commits past the follower's match")                   \
  X(kOldRejection, "an old rejection moves next at or below match")                               \
  X(kReadBeforeFirstCommit, "a read before the term's first commit")                              \
  X(kReadWithoutQuorum, "a read without confirming the leadership")                               \
  X(kReadOldRound, "an answer to an earlier heartbeat confirms a later read")                     \
  X(kReadTokenReused, "read tokens begin anew after a restart")                                   \
  X(kLeaseIgnoresSkew, "the lease lasts as long as a drifting clock would need it not to")        \
  X(kLeaseFromAnswer, "the lease begins at the answer, not at the sending")                       \
  X(kLeaseVoteGranted, "a follower votes although the leader's lease may hold")                   \
  X(kLeaseSurvivesTransfer, "the lease is used after the transfer has begun")                     \
  X(kLeaseForgottenAtRestart, "a restarted follower votes at once")                               \
  X(kTwoConfChanges, "a second change is accepted while one is pending")                          \
  X(kCampaignUnappliedChange, "a campaign with a committed change not yet applied")               \
  X(kRemovedCampaigns, "a node that is not a voter campaigns")                                    \
  X(kRemovedLeaderStays, "a removed leader stays")                                                \
  X(kNoAutoLeave, "the joint configuration is never left")                                        \
  X(kSnapshotStaleConf, "a snapshot is installed without its membership")                         \
  X(kSnapshotRegress, "an old snapshot is installed over a newer log")                            \
  X(kSnapshotFailureIgnored, "a failed snapshot is waited for for ever")                          \
  X(kProbeStuck, "a lost probe is never repeated")                                                \
  X(kFetchForgotten, "what the log could not give at once is never applied")                      \
  X(kInflightNeverFreed, "the window is never freed")                                             \
  X(kNoCheckQuorum, "a leader without a quorum stays")                                            \
  X(kPreVoteBumpsTerm, "a pre-vote raises the term")                                              \
  X(kUncommittedNeverFreed, "a commit makes no room for proposals")                               \
  X(kPromotionForgetsProgress, "a learner that is promoted is tracked anew")                      \
  X(kProposeDuringTransfer, "a proposal is accepted during a transfer")                           \
  X(kLostLogTrusted, "a node that may have lost acknowledged entries votes")

#ifdef KIWI_MUTANTS
#include <cstdint>

namespace kiwi::raft {

enum class Mutant : uint8_t {
  kNone,
#define KIWI_RAFT_MUTANT_NAME(name, what) name,
  KIWI_RAFT_MUTANTS(KIWI_RAFT_MUTANT_NAME)
#undef KIWI_RAFT_MUTANT_NAME
};

// The bug that is switched on; a test program has one thread.
inline Mutant active_mutant = Mutant::kNone;

}  // namespace kiwi::raft

#define KIWI_MUTANT(name) (::kiwi::raft::active_mutant == ::kiwi::raft::Mutant::name)
#else
#define KIWI_MUTANT(name) false
#endif
