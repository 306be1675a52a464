#include "commands/info.h"
#include "commands/redact.h"
#include "unit/commands/fake_server.h"

namespace kiwi::commands {
namespace {

class ServerTest : public ServerCommandTest {
 protected:
  bool Has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
};

TEST_F(ServerTest, FlushingAndSwappingDatabases) {
  Run("SET a 1");
  Select(1);
  Run("SET b 2");
  EXPECT_EQ(Run("DBSIZE"), "1");
  EXPECT_EQ(Run("SWAPDB 0 1"), "OK");
  EXPECT_EQ(Run("GET a"), "\"1\"");
  EXPECT_EQ(Run("FLUSHDB foo"), "-ERR syntax error");
  EXPECT_EQ(Run("FLUSHDB ASYNC"), "OK");
  EXPECT_EQ(Run("DBSIZE"), "0");
  Select(0);
  EXPECT_EQ(Run("DBSIZE"), "1");
  EXPECT_EQ(Run("FLUSHALL"), "OK");
  EXPECT_EQ(Run("DBSIZE"), "0");
  EXPECT_EQ(Run("SWAPDB x 1"), "-ERR invalid first DB index");
  EXPECT_EQ(Run("SWAPDB 0 x"), "-ERR invalid second DB index");
  EXPECT_EQ(Run("SWAPDB 0 99"), "-ERR DB index is out of range");
}

TEST_F(ServerTest, ConfigGetMatchesPatternsAndSetIsChecked) {
  server.options = {{"maxclients", "10000"}, {"maxmemory", "0"}, {"port", "6379"}};
  EXPECT_EQ(Do("CONFIG GET maxm* PORT"), "[\"maxmemory\", \"0\", \"port\", \"6379\"]");
  EXPECT_EQ(Do("CONFIG GET nothing"), "[]");
  EXPECT_EQ(Do("CONFIG SET timeout 1"), "OK");
  EXPECT_EQ(Do("CONFIG SET timeout 1 foo"), "-ERR syntax error");
  EXPECT_EQ(Do("CONFIG SET foo 1"),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'");
  EXPECT_EQ(Do("CONFIG SET timeout bad"),
            "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be a "
            "number");
  EXPECT_EQ(Do("CONFIG SET timeout 1 TIMEOUT 2"),
            "-ERR CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate "
            "parameter");
  EXPECT_EQ(Do("CONFIG REWRITE"), "-ERR The server is running without a config file");
}

TEST_F(ServerTest, InfoShowsTheSectionsThatWereAskedFor) {
  server.figures.stats.commands_processed = 42;
  server.figures.databases = {{.index = 0, .keys = 3, .expiring = 1, .average_ttl_ms = 9}};
  server.figures.commands = {{.command_id = CommandTable::Get().FindByName("client|id")->id,
                              .calls = 2,
                              .nanoseconds = 5000}};
  server.figures.raft = {{"role", std::string("leader")}, {"term", int64_t{4}}};

  const std::string standard = Do("INFO");
  EXPECT_TRUE(Has(standard, "# Server\r\nredis_version:7.0.15\r\n"));
  EXPECT_TRUE(Has(standard, "\r\ntotal_commands_processed:42\r\n"));
  EXPECT_TRUE(Has(standard, "\r\ndb0:keys=3,expires=1,avg_ttl=9\r\n"));
  EXPECT_TRUE(Has(standard, "# Raft\r\nrole:leader\r\nterm:4\r\n"));
  EXPECT_FALSE(Has(standard, "cmdstat_"));

  EXPECT_TRUE(Has(Do("INFO commandSTATS"),
                  "cmdstat_client|id:calls=2,usec=5,usec_per_call=2.50,rejected_calls=0,failed_"
                  "calls=0\r\n"));
  const std::string two = Do("INFO cpu nosuch");
  EXPECT_TRUE(Has(two, "# CPU"));
  EXPECT_FALSE(Has(two, "# Memory"));
  EXPECT_TRUE(Has(Do("INFO all"), "cmdstat_"));
  EXPECT_EQ(Do("INFO nosuch"), "\"\"");
}

TEST_F(ServerTest, CommandTellsAboutEveryCommand) {
  EXPECT_EQ(Do("COMMAND INFO dbsize nosuch"),
            "[[\"dbsize\", 1, [readonly, fast], 0, 0, 0, [@keyspace, @read, @fast], "
            "[\"request_policy:all_shards\", \"response_policy:agg_sum\"], [], []], nil]");
  EXPECT_EQ(Do("COMMAND DOCS time"),
            "[\"time\", [\"summary\", \"Answers the server's clock: Unix seconds and "
            "microseconds.\", \"since\", \"2.6.0\", \"group\", \"server\", \"complexity\", "
            "\"O(1)\"]]");
  EXPECT_EQ(Do("COMMAND LIST FILTERBY PATTERN config|*et"), "[\"config|get\", \"config|set\"]");
  EXPECT_EQ(Do("COMMAND LIST FILTERBY MODULE x"), "[]");
  EXPECT_EQ(Do("COMMAND LIST FILTERBY foo x"), "-ERR syntax error");
  EXPECT_EQ(Do("COMMAND GETKEYS MSET a 1 b 2"), "[\"a\", \"b\"]");
  EXPECT_EQ(Do("COMMAND GETKEYS MEMORY USAGE k"), "[\"k\"]");
  EXPECT_EQ(Do("COMMAND GETKEYS nosuch x"), "-ERR Invalid command specified");
  EXPECT_EQ(Do("COMMAND GETKEYS ECHO x"), "-ERR The command has no key arguments");
  EXPECT_EQ(Do("COMMAND GETKEYS SET a"), "-ERR Invalid number of arguments specified for command");
  EXPECT_EQ(Do("COMMAND GETKEYSANDFLAGS SET a b"), "[[\"a\", [OW, update]]]");
  EXPECT_EQ(Do("COMMAND GETKEYSANDFLAGS GET a"), "[[\"a\", [RO, access]]]");
  for (const Command& command : CommandTable::Get().commands()) {
    if (command.Is(kInternal)) continue;
    EXPECT_FALSE(command.row->summary.empty()) << command.full_name;
    EXPECT_FALSE(command.row->since.empty()) << command.full_name;
  }
}

TEST_F(ServerTest, DebugDigestsAreOfTheData) {
  const std::string empty(40, '0');
  EXPECT_EQ(Do("DEBUG DIGEST"), empty);
  Run("SET a 1");
  EXPECT_NE(Do("DEBUG DIGEST"), empty);
  EXPECT_EQ(Do("DEBUG DIGEST-VALUE nokey"), "[" + empty + "]");
  EXPECT_TRUE(Has(Do("DEBUG OBJECT a"), " encoding:int "));
  EXPECT_EQ(Do("DEBUG OBJECT nokey"), "-ERR no such key");
  EXPECT_EQ(Do("DEBUG SLEEP 0.5"), "OK");
  EXPECT_EQ(server.slept_us, 500'000);
  EXPECT_EQ(Do("DEBUG SET-ACTIVE-EXPIRE 0"), "OK");
  EXPECT_FALSE(server.active_expire);
  EXPECT_EQ(Do("DEBUG FOO"),
            "-ERR unknown subcommand or wrong number of arguments for 'FOO'. Try DEBUG HELP.");
}

TEST_F(ServerTest, DebugPopulateWritesWhatIsMissing) {
  Run("SET p:1 mine");
  EXPECT_EQ(Do("DEBUG POPULATE 3 p 10"), "OK");
  ASSERT_EQ(server.written.size(), 1u);
  const auto& mset = server.written[0];
  ASSERT_EQ(mset.size(), 5u);
  EXPECT_EQ(mset[1], "p:0");
  EXPECT_EQ(mset[2], std::string("value:0\0\0\0", 10));
  EXPECT_EQ(mset[3], "p:2");
}

TEST_F(ServerTest, SlowlogAndLatency) {
  for (int i = 0; i < 12; ++i) server.slow.push_back({.id = i, .args = {"GET", "a"}});
  EXPECT_EQ(Do("SLOWLOG LEN"), "12");
  EXPECT_EQ(Do("SLOWLOG GET 1"), "[[0, 0, 0, [\"GET\", \"a\"], \"\", \"\"]]");
  EXPECT_EQ(std::ranges::count(Do("SLOWLOG GET"), 'G'), 10);
  EXPECT_EQ(std::ranges::count(Do("SLOWLOG GET -1"), 'G'), 12);
  EXPECT_EQ(Do("SLOWLOG GET -2"), "-ERR count should be greater than or equal to -1");
  EXPECT_EQ(Do("SLOWLOG RESET"), "OK");
  EXPECT_EQ(Do("SLOWLOG GET"), "[]");

  server.events = {{.name = "command", .samples = {{100, 20}, {101, 30}}, .all_time_max_ms = 40}};
  EXPECT_EQ(Do("LATENCY LATEST"), "[[\"command\", 101, 30, 40]]");
  EXPECT_EQ(Do("LATENCY HISTORY command"), "[[100, 20], [101, 30]]");
  EXPECT_EQ(Do("LATENCY HISTORY nosuch"), "[]");
  EXPECT_TRUE(Has(Do("LATENCY DOCTOR"), "mean 25 ms"));
  EXPECT_TRUE(Has(Do("LATENCY GRAPH command"), "high 30 ms, low 20 ms"));
  EXPECT_EQ(Do("LATENCY GRAPH nosuch"), "-ERR No samples available for event 'nosuch'");
  server.histograms = {{.command_id = CommandTable::Get().FindByName("client|id")->id,
                        .calls = 2,
                        .buckets = {{1, 1}, {4, 2}}}};
  EXPECT_EQ(Do("LATENCY HISTOGRAM client"),
            "[\"client|id\", [\"calls\", 2, \"histogram_usec\", [1, 1, 4, 2]]]");
  EXPECT_EQ(Do("LATENCY HISTOGRAM get"), "[]");
}

TEST_F(ServerTest, ShutdownAndCheckpoints) {
  EXPECT_EQ(Do("SAVE"), "OK");
  EXPECT_EQ(Do("BGSAVE"), "Background saving started");
  EXPECT_EQ(Do("BGSAVE foo"), "-ERR syntax error");
  server.checkpoint_status = Status(StatusCode::kBusy, "one runs");
  EXPECT_EQ(Do("BGSAVE SCHEDULE"), "-ERR Background save already in progress");
  server.figures.persistence.last_checkpoint_unix_s = 99;
  EXPECT_EQ(Do("LASTSAVE"), "99");
  EXPECT_EQ(Do("SHUTDOWN SAVE NOSAVE"), "-ERR syntax error");
  EXPECT_EQ(Do("SHUTDOWN ABORT"), "-ERR No shutdown in progress.");
  EXPECT_EQ(Do("SHUTDOWN NOSAVE NOW"), "(nothing)");
  ASSERT_TRUE(server.shutdown);
  EXPECT_EQ(server.shutdown->save, ShutdownRequest::Save::kNo);
  EXPECT_TRUE(server.shutdown->now);
  EXPECT_TRUE(session.closing);
}

TEST_F(ServerTest, TimeMemoryAndFunctions) {
  EXPECT_EQ(Do("TIME"), "[\"1700000000\", \"0\"]");
  EXPECT_EQ(Do("WAIT 0 0"), "0");
  EXPECT_EQ(Do("WAIT 0 -1"), "-ERR timeout is negative");
  EXPECT_EQ(Run("MEMORY USAGE nokey"), "nil");
  Run("SET a 1");
  EXPECT_NE(Run("MEMORY USAGE a SAMPLES 0"), "nil");
  EXPECT_EQ(Run("MEMORY USAGE a SAMPLES -1"), "-ERR syntax error");
  EXPECT_EQ(Do("ACL WHOAMI"), "\"default\"");
  EXPECT_EQ(Do("ACL USERS"), "[\"default\"]");
  EXPECT_EQ(Do("ACL CAT nosuch"), "-ERR Unknown category 'nosuch'");
  EXPECT_TRUE(Has(Do("ACL CAT transaction"), "\"multi\", \"exec\""));
  EXPECT_EQ(Run("FUNCTION FLUSH"), "OK");
  EXPECT_EQ(Run("FUNCTION FLUSH now"), "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  EXPECT_EQ(Do("FUNCTION LIST"), "[]");
  EXPECT_EQ(Do("FUNCTION LIST LIBRARYNAME"), "-ERR library name argument was not given");
  EXPECT_EQ(Do("RAFT.BACKUP monday"),
            "[\"path\", \"monday\", \"index\", 7, \"term\", 2, \"bytes\", 1234]");
  server.checkpoint_status = Status(StatusCode::kNoSpace, "the disk is full");
  EXPECT_EQ(Do("RAFT.BACKUP monday"), "-ERR backup failed: the disk is full");
}

TEST(RedactTest, SecretsAreNotShown) {
  auto shown = [](std::vector<std::string_view> args) {
    std::string text;
    for (const auto arg : RedactedArgs(*CommandTable::Get().Find(args), args)) {
      text += std::string(arg) + " ";
    }
    return text;
  };
  EXPECT_EQ(shown({"AUTH", "u", "p"}), "AUTH (redacted) (redacted) ");
  EXPECT_EQ(shown({"HELLO", "3", "AUTH", "u", "p", "SETNAME", "n"}),
            "HELLO 3 AUTH (redacted) (redacted) SETNAME n ");
  EXPECT_EQ(shown({"CONFIG", "SET", "timeout", "1", "RequirePass", "p"}),
            "CONFIG SET timeout 1 RequirePass (redacted) ");
  EXPECT_EQ(shown({"SET", "auth", "p"}), "SET auth p ");
}

}  // namespace
}  // namespace kiwi::commands
