// What cluster clients read: the words are those of redis-server 7.0.15 for a master with replicas.
#include "commands/cluster.h"

#include "commands/cluster_topology.h"
#include "commands/info.h"
#include "unit/commands/fake_server.h"

namespace kiwi::commands {
namespace {

const std::string kIdA(40, 'a');
const std::string kIdB(40, 'b');
const std::string kIdC(40, 'c');

class ClusterTest : public ServerCommandTest {
 protected:
  ClusterTest() {
    server.cluster = {.enabled = true,
                      .ok = true,
                      .own = 1,
                      .term = 5,
                      .replication_id = std::string(40, 'f'),
                      .messages_sent = 30,
                      .messages_received = 40};
    server.cluster.nodes = {
        {.node = 1, .id = kIdA, .host = "10.0.0.1", .port = 6379, .bus_port = 7379, .offset = 90},
        {.node = 2,
         .id = kIdB,
         .host = "10.0.0.2",
         .port = 6380,
         .bus_port = 7380,
         .leader = true,
         .heard_ms = 1700,
         .lag_s = 1,
         .offset = 100},
        {.node = 3,
         .id = kIdC,
         .host = "10.0.0.3",
         .port = 6381,
         .bus_port = 7381,
         .linked = false,
         .failed = true,
         .heard_ms = 1600,
         .offset = 70}};
  }
  ClusterNode& node(size_t i) { return server.cluster.nodes[i - 1]; }
  std::string Text(std::string_view line) {
    const std::string quoted = Do(line);
    return quoted.substr(1, quoted.size() - 2);
  }
  void Lead() {
    server.cluster.own = 2;
    node(3).failed = false;
  }
};

TEST_F(ClusterTest, WithoutClusterEnabledThereIsNone) {
  server.cluster.enabled = false;
  const std::string disabled = "-ERR This instance has cluster support disabled";
  for (const char* line :
       {"CLUSTER SLOTS", "CLUSTER INFO", "CLUSTER HELP", "CLUSTER KEYSLOT a", "CLUSTER RESET",
        "CLUSTER MEET a 1", "READONLY", "READWRITE", "ASKING"}) {
    EXPECT_EQ(Do(line), disabled) << line;
  }
  EXPECT_EQ(Do("SELECT 1"), "OK");
  EXPECT_EQ(Do("CLUSTER FOO"), "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.");
}

TEST_F(ClusterTest, SlotsNameTheLeaderThenTheReplicasThatAreThere) {
  EXPECT_EQ(Do("CLUSTER SLOTS"), "[[0, 16383, [\"10.0.0.2\", 6380, \"" + kIdB +
                                     "\", []], [\"10.0.0.1\", 6379, \"" + kIdA + "\", []]]]");
}

TEST_F(ClusterTest, NobodyIsSentToANodeWithoutAnAddress) {
  node(1).port = 0;
  EXPECT_EQ(Do("CLUSTER SLOTS"), "[[0, 16383, [\"10.0.0.2\", 6380, \"" + kIdB + "\", []]]]");
  node(2).host.clear();
  EXPECT_EQ(Do("CLUSTER SLOTS"), "[]");
}

TEST_F(ClusterTest, ADeadLeaderKeepsItsSlotsUntilThereIsAnother) {
  server.cluster.ok = false;
  node(2).failed = true;
  EXPECT_NE(Do("CLUSTER SLOTS").find("[0, 16383, [\"10.0.0.2\""), std::string::npos);
  EXPECT_NE(Text("CLUSTER NODES").find("master,fail - 0 1700 5 connected 0-16383\n"),
            std::string::npos);
  const std::string info = Text("CLUSTER INFO");
  EXPECT_NE(info.find("cluster_state:fail\r\n"), std::string::npos);
  EXPECT_NE(info.find("cluster_slots_ok:0\r\n"), std::string::npos);
}

TEST_F(ClusterTest, NodesAreLinesInRedisOrderOfFields) {
  EXPECT_EQ(Text("CLUSTER NODES"),
            kIdA + " 10.0.0.1:6379@7379 myself,slave " + kIdB + " 0 0 5 connected\n" +  //
                kIdB + " 10.0.0.2:6380@7380 master - 0 1700 5 connected 0-16383\n" +    //
                kIdC + " 10.0.0.3:6381@7381 slave,fail " + kIdB + " 0 1600 5 disconnected\n");
  EXPECT_EQ(Do("CLUSTER REPLICAS " + kIdA), "-ERR The specified node is not a master");
  EXPECT_EQ(Do("CLUSTER REPLICAS x"), "-ERR Unknown node x");
  EXPECT_EQ(Do("CLUSTER MYID"), "\"" + kIdA + "\"");
}

TEST_F(ClusterTest, ShardsSayHealthOfEveryNode) {
  session.SetRespVersion(3);
  const std::string shards = Do("CLUSTER SHARDS");
  EXPECT_EQ(shards.find("[{\"slots\": [0, 16383], \"nodes\": [{\"id\": \"" + kIdB), 0u) << shards;
  EXPECT_NE(
      shards.find("\"role\": \"master\", \"replication-offset\": 100, \"health\": \"online\""),
      std::string::npos);
  EXPECT_NE(shards.find("\"role\": \"replica\", \"replication-offset\": 70, \"health\": \"fail\""),
            std::string::npos);
}

TEST_F(ClusterTest, InfoCounts) {
  const std::string info = Text("CLUSTER INFO");
  for (const char* line : {"cluster_state:ok", "cluster_slots_assigned:16384",
                           "cluster_slots_ok:16384", "cluster_known_nodes:3", "cluster_size:1",
                           "cluster_current_epoch:5", "cluster_stats_messages_sent:30"}) {
    EXPECT_NE(info.find(std::string(line) + "\r\n"), std::string::npos) << line;
  }
}

TEST_F(ClusterTest, KeysAreCountedAndNamedBySlot) {
  Run("SET {a}1 x");
  Run("SET {a}2 x");
  EXPECT_EQ(Do("CLUSTER KEYSLOT {a}1"), "15495");
  EXPECT_EQ(Do("CLUSTER COUNTKEYSINSLOT 15495"), "2");
  EXPECT_EQ(Do("CLUSTER COUNTKEYSINSLOT 1"), "0");
  EXPECT_EQ(Do("CLUSTER COUNTKEYSINSLOT 16384"), "-ERR Invalid slot");
  EXPECT_EQ(Do("CLUSTER GETKEYSINSLOT 15495 0"), "[]");
  EXPECT_NE(Do("CLUSTER GETKEYSINSLOT 15495 5").find("\"{a}1\""), std::string::npos);
  EXPECT_EQ(Do("CLUSTER GETKEYSINSLOT 15495 -1"), "-ERR Invalid slot or number of keys");
}

TEST_F(ClusterTest, ItsShapeIsChangedByRaftCommandsAlone) {
  EXPECT_NE(Do("CLUSTER MEET 10.0.0.9 6379").find("RAFT.CLUSTER JOIN"), std::string::npos);
  EXPECT_NE(Do("CLUSTER FORGET x").find("RAFT.NODE REMOVE"), std::string::npos);
  EXPECT_NE(Do("CLUSTER FAILOVER").find("RAFT.TRANSFER_LEADER"), std::string::npos);
  EXPECT_EQ(Do("CLUSTER ADDSLOTS 1").front(), '-');
}

TEST_F(ClusterTest, OneDatabase) {
  EXPECT_EQ(Do("SELECT 0"), "OK");
  EXPECT_EQ(Do("SELECT 1"), "-ERR SELECT is not allowed in cluster mode");
  EXPECT_EQ(Do("SELECT x"), "-ERR value is not an integer or out of range");
}

TEST_F(ClusterTest, ReadOnlyIsOfTheConnection) {
  EXPECT_EQ(Do("READONLY"), "OK");
  EXPECT_TRUE(session.read_only);
  EXPECT_EQ(Do("READWRITE"), "OK");
  EXPECT_FALSE(session.read_only);
  EXPECT_EQ(Do("ASKING"), "OK");
}

TEST_F(ClusterTest, RoleOfAReplicaAndOfTheLeader) {
  EXPECT_EQ(Do("ROLE"), "[\"slave\", \"10.0.0.2\", 6380, \"connected\", 90]");
  Lead();
  EXPECT_EQ(
      Do("ROLE"),
      "[\"master\", 100, [[\"10.0.0.1\", \"6379\", \"90\"], [\"10.0.0.3\", \"6381\", \"70\"]]]");
  EXPECT_NE(Do("HELLO").find("\"mode\", \"cluster\", \"role\", \"master\""), std::string::npos);
}

TEST_F(ClusterTest, InfoReplicationOfAReplicaAndOfTheLeader) {
  const uint32_t section = SelectInfoSections(std::vector<std::string_view>{"replication"});
  InfoFigures figures;
  figures.cluster = server.cluster;
  const std::string replica = FormatInfo(section, figures);
  EXPECT_EQ(
      replica.find("# Replication\r\nrole:slave\r\nmaster_host:10.0.0.2\r\nmaster_port:6380\r\n"
                   "master_link_status:up\r\nmaster_last_io_seconds_ago:1\r\n"),
      0u)
      << replica;
  EXPECT_NE(replica.find("slave_repl_offset:90\r\n"), std::string::npos);
  Lead();
  figures.cluster = server.cluster;
  const std::string leader = FormatInfo(section, figures);
  EXPECT_EQ(leader.find("# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
                        "slave0:ip=10.0.0.1,port=6379,state=online,offset=90,lag=0\r\n"
                        "slave1:ip=10.0.0.3,port=6381,state=online,offset=70,lag=0\r\n"),
            0u)
      << leader;
  EXPECT_NE(leader.find("master_repl_offset:100\r\n"), std::string::npos);
}

TEST_F(ClusterTest, InfoReplicationOfAReplicaWhoseLeaderIsGone) {
  server.cluster.ok = false;
  InfoFigures figures;
  figures.cluster = server.cluster;
  const uint32_t section = SelectInfoSections(std::vector<std::string_view>{"replication"});
  const std::string replica = FormatInfo(section, figures);
  EXPECT_NE(replica.find("master_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\n"),
            std::string::npos)
      << replica;
  EXPECT_NE(replica.find("master_link_down_since_seconds:1\r\n"), std::string::npos) << replica;
}

TEST_F(ClusterTest, AReplicaThatGetsASnapshotIsNotOnlineYet) {
  Lead();
  node(3).loading = true;
  node(3).failed = false;
  InfoFigures figures;
  figures.cluster = server.cluster;
  const uint32_t section = SelectInfoSections(std::vector<std::string_view>{"replication"});
  const std::string leader = FormatInfo(section, figures);
  EXPECT_NE(leader.find("slave1:ip=10.0.0.3,port=6381,state=send_bulk,offset=70,lag=0\r\n"),
            std::string::npos)
      << leader;
  EXPECT_NE(Do("CLUSTER SHARDS").find("\"health\", \"loading\""), std::string::npos);
}

TEST_F(ClusterTest, WaitCountsThoseThatHaveTheLastWrite) {
  server.replicas = 2;
  EXPECT_EQ(Do("WAIT 1 0"), "2");
  server.last_write = 41;  // not this connection's
  EXPECT_EQ(Do("WAIT 0 0"), "0");
}

TEST(MemberCommand, ReadsBackWhatItMade) {
  const std::vector<std::string> made =
      MakeMemberCommand({.node = 3, .host = "10.0.0.3", .port = 6381});
  const std::vector<std::string_view> args(made.begin(), made.end());
  const auto read = ParseMemberCommand(args);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->node, 3u);
  EXPECT_EQ(read->host, "10.0.0.3");
  EXPECT_EQ(read->port, 6381);
  EXPECT_EQ(CommandTable::Get().Find(args)->row->flags & kInternal, kInternal);
}

TEST(MemberCommand, RefusesWhatMakesNoSense) {
  const auto parse = [](std::vector<std::string_view> args) { return ParseMemberCommand(args); };
  EXPECT_FALSE(parse({"_member", "0", "h", "1"}));
  EXPECT_FALSE(parse({"_member", "-1", "h", "1"}));
  EXPECT_FALSE(parse({"_member", "1", "h", "65536"}));
  EXPECT_FALSE(parse({"_member", "1", "h"}));
}

}  // namespace
}  // namespace kiwi::commands
