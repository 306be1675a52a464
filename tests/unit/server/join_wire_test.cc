#include "server/join_wire.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "server/lag_times.h"

namespace kiwi::server {
namespace {

TEST(JoinWire, ARequestNamesWhereTheNodeIs) {
  const raft::Member member{.id = 3, .raft_host = "10.0.0.3", .raft_port = 7003};
  const auto read = DecodeJoinRequest(EncodeJoinRequest(member));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, member);
  EXPECT_FALSE(DecodeJoinRequest(EncodeJoinRequest({.id = 3})).ok()) << "no address";
  EXPECT_FALSE(DecodeJoinRequest("").ok());
}

TEST(JoinWire, AnInvitationSaysWhereAndAsWhom) {
  const Invitation invitation{.host = "10.0.0.1",
                              .port = 7001,
                              .as = {.id = 4, .raft_host = "n4.example", .raft_port = 7004}};
  const std::string bytes = EncodeInvitation(invitation);
  const auto read = DecodeInvitation(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->host, invitation.host);
  EXPECT_EQ(read->port, invitation.port);
  EXPECT_EQ(read->as, invitation.as);
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodeInvitation(std::string_view(bytes).substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(DecodeInvitation(bytes + "x").ok());
}

TEST(JoinWire, AnswersOfEveryKindAreReadAsWrittenAndNeverBeyond) {
  JoinAnswer accepted{.verdict = JoinVerdict::kAccepted, .id = 4};
  accepted.membership.cluster_id = 9;
  accepted.membership.Put({.id = 4, .raft_host = "h", .raft_port = 1});
  const JoinAnswer redirect{.verdict = JoinVerdict::kRedirect, .host = "10.0.0.1", .port = 7001};
  const JoinAnswer refused{.verdict = JoinVerdict::kRefused, .reason = "no"};
  for (const JoinAnswer& answer : {accepted, redirect, refused}) {
    const std::string bytes = EncodeJoinAnswer(answer);
    const auto read = DecodeJoinAnswer(bytes);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->verdict, answer.verdict);
    EXPECT_EQ(read->id, answer.id);
    EXPECT_EQ(read->membership, answer.membership);
    EXPECT_EQ(read->host, answer.host);
    EXPECT_EQ(read->port, answer.port);
    EXPECT_EQ(read->reason, answer.reason);
    for (size_t i = 0; i < bytes.size(); ++i) {
      EXPECT_FALSE(DecodeJoinAnswer(std::string_view(bytes).substr(0, i)).ok());
    }
    EXPECT_FALSE(DecodeJoinAnswer(bytes + "x").ok());
  }
}

// Anybody who reaches the raft port may send it.
TEST(JoinWire, WhatCannotBeIsRefused) {
  const raft::Member fine{.id = 4, .raft_host = "10.0.0.4", .raft_port = 7004};
  const auto refused = [&](const std::function<void(raft::Member*)>& spoil) {
    raft::Member member = fine;
    spoil(&member);
    JoinAnswer accepted{.verdict = JoinVerdict::kAccepted, .id = fine.id};
    accepted.membership.cluster_id = 9;
    accepted.membership.Put(fine);
    accepted.membership.members.front() = member;
    accepted.membership.last_id = std::numeric_limits<raft::NodeId>::max();
    return !CheckMember(member).ok() && !DecodeJoinRequest(EncodeJoinRequest(member)).ok() &&
           !DecodeInvitation(EncodeInvitation({.host = "h", .port = 1, .as = member})).ok() &&
           !DecodeJoinAnswer(EncodeJoinAnswer(accepted)).ok();
  };
  EXPECT_FALSE(refused([](raft::Member*) {}));
  EXPECT_TRUE(refused([](raft::Member* m) { m->id = 0; }));
  EXPECT_TRUE(refused([](raft::Member* m) { m->id = uint64_t{1} << 63; }));
  EXPECT_TRUE(refused([](raft::Member* m) { m->raft_host.clear(); }));
  EXPECT_TRUE(refused([](raft::Member* m) { m->raft_host = "0.0.0.0"; }));
  EXPECT_TRUE(refused([](raft::Member* m) { m->raft_host = "10.0.0.999"; }));
  EXPECT_TRUE(refused([](raft::Member* m) { m->raft_host = "a\nb"; }));
  EXPECT_TRUE(refused([](raft::Member* m) { m->raft_host.assign(100'000, 'a'); }));
  EXPECT_TRUE(refused([](raft::Member* m) { m->raft_port = 0; }));
  EXPECT_TRUE(refused([](raft::Member* m) { m->client_port = 6379; })) << "where?";
  EXPECT_TRUE(refused([](raft::Member* m) { m->client_host = "::*"; }));
  EXPECT_FALSE(refused([](raft::Member* m) { m->client_host = "h"; })) << "a unix socket, no port";

  EXPECT_FALSE(DecodeInvitation(EncodeInvitation({.host = "*", .port = 1, .as = fine})).ok());
  EXPECT_FALSE(DecodeInvitation(EncodeInvitation({.host = "h", .port = 0, .as = fine})).ok());
  const JoinAnswer redirect{.verdict = JoinVerdict::kRedirect, .host = "a b", .port = 7001};
  EXPECT_FALSE(DecodeJoinAnswer(EncodeJoinAnswer(redirect)).ok());
}

TEST(JoinWire, AGroupHasAnIdAndNoMoreMembersThanMakeSense) {
  JoinAnswer accepted{.verdict = JoinVerdict::kAccepted, .id = 1};
  for (size_t i = 1; i <= kMembersMax; ++i) {
    accepted.membership.Put({.id = i, .raft_host = "h", .raft_port = 1});
  }
  EXPECT_FALSE(DecodeJoinAnswer(EncodeJoinAnswer(accepted)).ok()) << "no id";
  accepted.membership.cluster_id = 9;
  EXPECT_TRUE(DecodeJoinAnswer(EncodeJoinAnswer(accepted)).ok());
  accepted.id = kMembersMax + 1;
  EXPECT_FALSE(DecodeJoinAnswer(EncodeJoinAnswer(accepted)).ok()) << "no member";
  accepted.membership.Put({.id = accepted.id, .raft_host = "h", .raft_port = 1});
  EXPECT_FALSE(DecodeJoinAnswer(EncodeJoinAnswer(accepted)).ok()) << "too many";
}

TEST(LagTimes, ALagIsTheAgeOfTheOldestEntryThatIsMissing) {
  LagTimes times;
  EXPECT_EQ(times.LagMs(1000, 5), 0) << "nothing is known";
  times.Note(1000, 10);
  times.Note(1100, 10);
  times.Note(1200, 20);
  EXPECT_EQ(times.LagMs(1500, 9), 500);
  EXPECT_EQ(times.LagMs(1500, 10), 300);
  EXPECT_EQ(times.LagMs(1500, 20), 0);
}

}  // namespace
}  // namespace kiwi::server
