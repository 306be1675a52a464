// Who begins a group: what of raft.initial-members and the addresses beside it stops the start, and
// what the operator is told.
#include "config/members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"

namespace kiwi::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kThree = "1@10.0.0.1:1,2@b.example:2,3@[fd00::3]:3";

// Of a file in which raft.port stands in line 2 and `line` in line 3.
std::string Refusal(std::string_view line) {
  const auto config =
      Config::Parse("[raft]\nport = 7000\n" + std::string(line) + "\n", "k.conf", {});
  return config.ok() ? "" : std::string(config.status().message());
}

std::string RefusalOfMembers(std::string_view members) {
  return Refusal("initial-members = " + std::string(members));
}

TEST(Members, AddressesOfAllForms) {
  const auto members = ParseMembers(kThree);
  ASSERT_TRUE(members.ok()) << members.status().message();
  ASSERT_EQ(members->size(), 3U);
  EXPECT_EQ((*members)[1].host, "b.example");
  EXPECT_EQ((*members)[2].host, "fd00::3");
  EXPECT_EQ((*members)[2].port, 3);
  EXPECT_EQ(RefusalOfMembers(kThree), "");
  EXPECT_EQ(RefusalOfMembers("1@localhost:1"), "") << "one that names itself";
  EXPECT_EQ(RefusalOfMembers(""), "");
}

TEST(Members, RefusalSaysWhereWhatAndWhatIsAllowed) {
  EXPECT_EQ(RefusalOfMembers("1@a:1,2@b:2"),
            "k.conf:3: [raft] initial-members = 1@a:1,2@b:2: two members are no better than one: "
            "without either of them there is no majority, and no service; allowed: " +
                std::string(kMembersAllowed));
}

TEST(Members, EachFaultIsNamed) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"0@a:1,2@b:2,3@c:3", "\"0@a:1\" has no id above 0"},
      {"-1@a:1,2@b:2,3@c:3", "has no id above 0"},
      {"x@a:1,2@b:2,3@c:3", "has no id above 0"},
      {"1@a:1,2@b:2,2@c:3", "node 2 is named twice"},
      {"1@a:1,2@b:2,3@b:2", "nodes 2 and 3 have one address"},
      {"4@a:1,2@b:2,3@c:3", "this node, raft.node-id 1, is missing"},
      {"1@a:1,2@b:0,3@c:3", "\"2@b:0\" has no port from 1 to 65535"},
      {"1@a:1,2@b:65536,3@c:3", "has no port"},
      {"1@a:1,2@b,3@c:3", "is not id@host:port"},
      {"1@a:1,,3@c:3", "\"\" is not id@host:port"},
      {"1@a:1,2@300.1.2.3:2,3@c:3", "\"2@300.1.2.3:2\" has neither an address nor a host's name"},
      {"1@a:1,2@b/c:2,3@c:3", "has neither an address nor a host's name"},
      {"1@a:1,2@-b:2,3@c:3", "has neither"},
      {"1@a:1,2@0.0.0.0:2,3@c:3", "is no address that a node is reached by"},
  };
  for (const auto& [members, why] : cases) {
    EXPECT_THAT(RefusalOfMembers(members),
                AllOf(StartsWith("k.conf:3: [raft] initial-members = "), HasSubstr(why),
                      HasSubstr("; allowed: id@host:port,")))
        << members;
  }
}

TEST(Members, AddressesOfThisNode) {
  EXPECT_THAT(Refusal("bind = node.example"),
              HasSubstr("[raft] bind = node.example: is no address"));
  EXPECT_EQ(Refusal("bind = ::1"), "");
  EXPECT_THAT(Refusal("bind = *"), HasSubstr("k.conf:3: [raft] announce-host =  (the default)"));
  EXPECT_EQ(Refusal("bind = *\nannounce-host = node.example"), "");
  EXPECT_EQ(Refusal("bind = *\ninitial-members = " + std::string(kThree)), "");
  EXPECT_THAT(Refusal("announce-host = 0.0.0.0"), HasSubstr("could be reached by"));
  EXPECT_THAT(Refusal("announce-host = 1.2.3"), HasSubstr("could be reached by"));
}

TEST(Members, PortsOfThisNode) {
  EXPECT_THAT(Refusal("[network]\nport = 7000"),
              HasSubstr("k.conf:2: [raft] port = 7000: clients connect to this port"));
  EXPECT_EQ(Refusal("bind = 10.0.0.1\n[network]\nport = 7000"), "");
  EXPECT_THAT(Refusal("[network]\nport = 7000\nbind = *"), HasSubstr("clients connect"));
  const auto no_port =
      Config::Parse("[raft]\ninitial-members = " + std::string(kThree), "k.conf", {});
  EXPECT_THAT(std::string(no_port.status().message()),
              HasSubstr("k.conf:2: [raft] port = 0 (the default): raft.initial-members needs it"));
}

TEST(Members, ReplicationFactor) {
  EXPECT_EQ(Refusal("replication-factor = 3\ninitial-members = " + std::string(kThree)), "");
  EXPECT_THAT(Refusal("replication-factor = 1\ninitial-members = " + std::string(kThree)),
              HasSubstr("names 3 nodes, all of which vote; allowed: 0 (every node votes), or at "
                        "least 3"));
  EXPECT_THAT(Refusal("replication-factor = 2"), HasSubstr("two votes are no better than one"));
}

}  // namespace
}  // namespace kiwi::config
