// Nodes that ask to join, and nodes that were added and are told to ask.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "server/cluster.h"

namespace kiwi::server {
namespace {

constexpr int64_t kTakeInMs = 10'000;
constexpr int64_t kInviteEveryNs = 1'000'000'000;
constexpr int64_t kInviteMs = 3000;
constexpr int64_t kRefusalLogNs = 10'000'000'000;

std::string Named(raft::NodeId id) { return "node " + std::to_string(id); }

Status Invalid(std::string why) { return {StatusCode::kInvalidArgument, std::move(why)}; }

// A learner that has nothing yet.
bool IsNew(const raft::RawNode::PeerProgress& peer) { return peer.learner && peer.match == 0; }

}  // namespace

// --- nodes that ask to join ---

void Cluster::AnswerJoin(raft::NodeId from, const std::string& request) {
  // If it has hung up, it asks again.
  (void)transport_.SendService(from, kJoinKind | raft::kServiceReply,
                               EncodeJoinAnswer(TakeIn(request)));
}

JoinAnswer Cluster::TakeIn(const std::string& request) {
  Result<raft::Member> member = DecodeJoinRequest(request);
  JoinAnswer answer;
  if (!member.ok()) {
    answer.reason = member.status().message();
    return answer;
  }
  if (!node_->is_leader()) {
    const raft::Membership membership = node_->membership();
    const raft::Member* const leader = membership.Find(node_->leader());
    answer.verdict = JoinVerdict::kLater;
    answer.reason = "no leader is known now";
    if (leader != nullptr && leader->id != options_.self.id) {
      answer.verdict = JoinVerdict::kRedirect;
      answer.host = leader->raft_host;
      answer.port = leader->raft_port;
    }
    return answer;
  }
  const Result<raft::NodeId> id = TakeInAs(std::move(*member));
  if (id.ok()) {
    answer.verdict = JoinVerdict::kAccepted;
    answer.id = *id;
    answer.membership = node_->membership();
    return answer;
  }
  const bool final = id.status().code() == StatusCode::kInvalidArgument;
  answer.verdict = final ? JoinVerdict::kRefused : JoinVerdict::kLater;
  answer.reason = id.status().message();
  return answer;
}

Result<raft::NodeId> Cluster::TakeInAs(raft::Member member) {
  const raft::NodeStatus status = node_->GetStatus();
  for (const raft::Member& other : status.membership.members) {
    if (other.raft_host != member.raft_host || other.raft_port != member.raft_port) continue;
    // It was told before, and has not come to remember it.
    const bool fresh = std::any_of(status.peers.begin(), status.peers.end(), [&](const auto& p) {
      return p.id == other.id && p.learner && p.match == 0;
    });
    if (fresh) return other.id;
    return Invalid(Named(other.id) + " of the group has the address " + other.raft_host + ":" +
                   std::to_string(other.raft_port) + "; remove it first");
  }
  const raft::NodeId next = status.membership.last_id + 1;
  if (member.id < next || member.id - next > kIdStrideMax) member.id = next;
  KIWI_LOG(kInfo, "taking in a node id={} address={}:{}", member.id, member.raft_host,
           member.raft_port);
  KIWI_RETURN_IF_ERROR(AddNode(member, kTakeInMs));
  return member.id;
}

Result<JoinAnswer> Cluster::AskToJoin(const std::string& host, int port, const raft::Member& self,
                                      int64_t timeout_ms, const std::function<bool()>& given_up) {
  KIWI_ASSIGN_OR_RETURN(const std::string answer,
                        asked_->Wait(
                            [&](PendingAnswers::Answer done) {
                              transport_.AskToJoin(host, port, kJoinKind, EncodeJoinRequest(self),
                                                   timeout_ms, std::move(done));
                            },
                            [&] { return stopping_ || given_up(); }));
  return DecodeJoinAnswer(answer);
}

// --- nodes that were added ---

// One that has never been linked may be a fresh node that does not know what it is to become.
void Cluster::InviteAdded(const raft::NodeStatus& status) {
  const int64_t now_ns = clock_->MonotonicNs();
  if (now_ns < next_invitation_ns_) return;
  if (std::none_of(status.peers.begin(), status.peers.end(), IsNew)) return;
  const std::vector<raft::PeerLinkStats> links = transport_.stats();
  for (const auto& peer : status.peers) {
    const bool linked = std::any_of(links.begin(), links.end(), [&peer](const auto& link) {
      return link.id == peer.id && link.connected;
    });
    const raft::Member* const member = status.membership.Find(peer.id);
    if (!IsNew(peer) || linked || member == nullptr) continue;
    next_invitation_ns_ = now_ns + kInviteEveryNs;
    const Invitation invitation{
        .host = options_.self.raft_host, .port = options_.self.raft_port, .as = *member};
    transport_.AskToJoin(member->raft_host, member->raft_port, kInviteKind,
                         EncodeInvitation(invitation), kInviteMs,
                         [this, id = member->id](const Result<std::string>& answer) {
                           OnInvitationAnswered(id, answer);
                         });
  }
}

void Cluster::OnInvitationAnswered(raft::NodeId id, const Result<std::string>& answer) {
  if (!answer.ok() || answer->empty()) return;  // not there yet, or on its way
  const std::string refusal = Named(id) + ": " + *answer;
  MutexLock lock(members_mu_);
  if (std::exchange(invitation_refusal_, refusal) == refusal) return;
  KIWI_LOG(kWarn, "a node that was added does not join id={} reason=\"{}\"", id, *answer);
}

// Anybody may send it, again and again: a line now and then.
void Cluster::RefuseInvitation(raft::NodeId from, const Status& why) {
  (void)transport_.SendService(from, kInviteKind | raft::kServiceReply, std::string(why.message()));
  const int64_t now_ns = clock_->MonotonicNs();
  if (now_ns < next_refusal_ns_) return;
  next_refusal_ns_ = now_ns + kRefusalLogNs;
  KIWI_LOG(kWarn, "invitation refused: it makes no sense reason=\"{}\"", why.message());
}

void Cluster::OnInvited(raft::NodeId from, const std::string& payload) {
  if (!invited_) return;
  Result<Invitation> invitation = DecodeInvitation(payload);
  if (!invitation.ok()) return RefuseInvitation(from, invitation.status());
  // It comes again: those that come while one is followed would only queue up behind it.
  if (following_.exchange(true)) return;
  const bool posted = admin_.Post([this, from, invitation = std::move(*invitation)] {
    const Status followed = invited_(invitation);
    following_ = false;
    if (std::exchange(invitation_answer_, followed.ToString()) != followed.ToString()) {
      KIWI_LOG(kInfo, "invited into a group leader={}:{} as={} answer=\"{}\"", invitation.host,
               invitation.port, invitation.as.id, followed.ToString());
    }
    (void)transport_.SendService(from, kInviteKind | raft::kServiceReply,
                                 std::string(followed.message()));
  });
  if (posted) return;
  following_ = false;
  KIWI_LOG(kWarn, "invitation dropped: too many tasks wait");
}

}  // namespace kiwi::server
