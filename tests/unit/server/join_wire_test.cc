#include "server/join_wire.h"

#include <gtest/gtest.h>

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
