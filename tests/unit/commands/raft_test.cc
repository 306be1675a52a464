#include "commands/group_view.h"
#include "unit/commands/fake_server.h"

namespace kiwi::commands {
namespace {

class FakeGroup final : public GroupView {
 public:
  GroupReport Report() override { return report; }
  Status TransferLeader(uint64_t id) override { return Note("transfer " + std::to_string(id)); }
  Status AddNode(uint64_t id, const HostPort& raft, const HostPort& client) override {
    return Note("add " + std::to_string(id) + " " + Text(raft) + " " + Text(client));
  }
  Status PromoteNode(uint64_t id, bool force) override {
    return Note("promote " + std::to_string(id) + (force ? " force" : ""));
  }
  Status RemoveNode(uint64_t id, bool force) override {
    return Note("remove " + std::to_string(id) + (force ? " force" : ""));
  }
  Status Join(const std::vector<HostPort>& contacts) override {
    std::string what = "join";
    for (const HostPort& contact : contacts) what += " " + Text(contact);
    return Note(what);
  }

  Status AcceptLoss() override { return Note("accept loss"); }

  GroupReport report;
  Status result;
  std::string asked;

 private:
  static std::string Text(const HostPort& a) { return a.host + "|" + std::to_string(a.port); }
  Status Note(std::string what) {
    asked = std::move(what);
    return result;
  }
};

class RaftTest : public ServerCommandTest {
 protected:
  void SetUp() override { server.group_view = &group; }
  FakeGroup group;
};

TEST_F(RaftTest, StatusNamesTheMembersAndWhatMovesBetweenThem) {
  server.figures.raft = {{.name = "role", .value = std::string("leader")}};
  group.report = {.cluster_id = 9, .node_id = 1, .part = "voter"};
  group.report.members = {{.id = 2, .raft = {"h", 7}, .role = "learner", .match = 5}};
  group.report.snapshots = {{.peer = 2, .sending = true, .bytes_done = 3}};
  const std::string status = Do("RAFT.STATUS");
  for (const char* part : {"\"role\", \"leader\"", "\"cluster_id\", \"9\"", "\"part\", \"voter\"",
                           "\"address\", \"h:7\", \"client_address\", \"\", \"role\", \"learner\"",
                           "\"match\", 5", "\"direction\", \"sending\", \"bytes_done\", 3"}) {
    EXPECT_NE(status.find(part), std::string::npos) << part << " in " << status;
  }
}

TEST_F(RaftTest, StatusAsTextIsALineAFigureAndALineAMember) {
  server.figures.raft = {{.name = "role", .value = std::string("leader")},
                         {.name = "term", .value = int64_t{4}}};
  group.report = {.cluster_id = 9, .node_id = 1, .part = "voter"};
  group.report.members = {{.id = 2,
                           .raft = {"h", 7},
                           .role = "learner",
                           .state = "snapshot",
                           .match = 5,
                           .lag_entries = 3,
                           .lag_ms = 20}};
  group.report.snapshots = {{.peer = 2, .sending = true, .bytes_done = 3, .bytes_estimated = 8}};
  const std::string text = Do("RAFT.STATUS TEXT");
  for (const char* line :
       {"role:leader", "term:4", "cluster_id:9", "part:voter",
        "member2:role=learner,address=h:7,client_address=,state=snapshot,match=5,"
        "lag_entries=3,lag_ms=20,last_contact_ms=-1,connected=no",
        "snapshot2:direction=sending,bytes_done=3,bytes_estimated=8"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in " << text;
  }
  EXPECT_NE(Do("RAFT.STATUS WORDS").find("syntax error"), std::string::npos);
}

TEST_F(RaftTest, ChangesArePassedOnAsTheyWereAsked) {
  EXPECT_EQ(Do("RAFT.ACCEPT_LOSS"), "OK");
  EXPECT_EQ(group.asked, "accept loss");
  EXPECT_EQ(Do("RAFT.NODE ADD 4 10.0.0.4:7004"), "OK");
  EXPECT_EQ(group.asked, "add 4 10.0.0.4|7004 |0");
  EXPECT_EQ(Do("RAFT.NODE ADD 4 [::1]:7004 h:6379"), "OK");
  EXPECT_EQ(group.asked, "add 4 ::1|7004 h|6379");
  EXPECT_EQ(Do("RAFT.NODE REMOVE 2"), "OK");
  EXPECT_EQ(group.asked, "remove 2");
  EXPECT_EQ(Do("RAFT.NODE PROMOTE 2 FORCE"), "OK");
  EXPECT_EQ(group.asked, "promote 2 force");
  EXPECT_EQ(Do("RAFT.TRANSFER_LEADER"), "OK");
  EXPECT_EQ(group.asked, "transfer 0");
  EXPECT_EQ(Do("RAFT.CLUSTER JOIN a:1 b:2"), "OK");
  EXPECT_EQ(group.asked, "join a|1 b|2");
}

TEST_F(RaftTest, ArgumentsThatMakeNoSenseAreRefusedBeforeAnybodyIsAsked) {
  for (const char* line :
       {"RAFT.NODE ADD 0 h:1", "RAFT.NODE ADD x h:1", "RAFT.NODE ADD 4 h", "RAFT.NODE ADD 4 h:0",
        "RAFT.NODE ADD 4 :1", "RAFT.NODE REMOVE -1", "RAFT.NODE REMOVE 2 NOW",
        "RAFT.CLUSTER JOIN h:65536", "RAFT.TRANSFER_LEADER 0", "RAFT.TRANSFER_LEADER 1 2"}) {
    EXPECT_EQ(Do(line).substr(0, 4), "-ERR") << line;
  }
  EXPECT_EQ(group.asked, "");
}

TEST_F(RaftTest, ErrorsSayWhetherToTryAgainAndWhere) {
  group.result = {StatusCode::kNotLeader, "the leader is node 2 at h:1"};
  EXPECT_EQ(Do("RAFT.NODE REMOVE 3"), "-NOTLEADER the leader is node 2 at h:1");
  group.result = {StatusCode::kBusy, "another change"};
  EXPECT_EQ(Do("RAFT.NODE REMOVE 3"), "-TRYAGAIN another change");
  group.result = {StatusCode::kAborted, "who knows"};
  EXPECT_EQ(Do("RAFT.NODE REMOVE 3"), "-UNKNOWN who knows");
  group.result = {StatusCode::kNotFound, "no node 3"};
  EXPECT_EQ(Do("RAFT.NODE REMOVE 3"), "-ERR no node 3");
}

}  // namespace
}  // namespace kiwi::commands
