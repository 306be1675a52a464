#include "unit/commands/fake_server.h"

namespace kiwi::commands {
namespace {

class ConnectionTest : public ServerCommandTest {};

TEST_F(ConnectionTest, PingEchoSelectQuit) {
  EXPECT_EQ(Do("PING"), "PONG");
  EXPECT_EQ(Do("ping hello"), "\"hello\"");
  EXPECT_EQ(Do("PING a b"), "-ERR wrong number of arguments for 'ping' command");
  EXPECT_EQ(Do("ECHO hi"), "\"hi\"");
  EXPECT_EQ(Do("SELECT 3"), "OK");
  EXPECT_EQ(session.db(), 3);
  EXPECT_EQ(Do("SELECT 16"), "-ERR DB index is out of range");
  EXPECT_EQ(Do("SELECT x"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(session.db(), 3);
  EXPECT_EQ(Do("QUIT"), "OK");
  EXPECT_TRUE(session.closing);
}

TEST_F(ConnectionTest, AuthChecksThePassword) {
  EXPECT_EQ(Do("AUTH x").substr(0, 47), "-ERR AUTH <password> called without any passwor");
  server.password = "secret";
  session.is_authenticated = false;
  EXPECT_EQ(Do("AUTH wrong"), "-WRONGPASS invalid username-password pair or user is disabled.");
  EXPECT_EQ(Do("AUTH root secret"),
            "-WRONGPASS invalid username-password pair or user is disabled.");
  EXPECT_FALSE(session.authenticated());
  EXPECT_EQ(Do("AUTH default secret"), "OK");
  EXPECT_TRUE(session.authenticated());
  EXPECT_EQ(Do("AUTH a b c"), "-ERR syntax error");
}

TEST_F(ConnectionTest, HelloChoosesTheProtocol) {
  const std::string reply = Do("HELLO 3 SETNAME worker");
  EXPECT_EQ(session.resp_version(), 3);
  EXPECT_EQ(session.name(), "worker");
  EXPECT_EQ(reply,
            "{\"server\": \"redis\", \"version\": \"7.0.15\", \"proto\": 3, \"id\": 7, \"mode\": "
            "\"standalone\", \"role\": \"master\", \"modules\": []}");
  EXPECT_EQ(Do("HELLO 4"), "-NOPROTO unsupported protocol version");
  EXPECT_EQ(Do("HELLO x"), "-ERR Protocol version is not an integer or out of range");
  EXPECT_EQ(Do("HELLO 2 SETNAME"), "-ERR Syntax error in HELLO option 'SETNAME'");
  EXPECT_EQ(session.resp_version(), 3);
  Do("HELLO");
  EXPECT_EQ(session.resp_version(), 3);
}

TEST_F(ConnectionTest, HelloCanAuthenticateAndDemandsIt) {
  server.password = "secret";
  session.is_authenticated = false;
  EXPECT_EQ(Do("HELLO 3").substr(0, 50), "-NOAUTH HELLO must be called with the client alrea");
  EXPECT_EQ(session.resp_version(), 2);
  EXPECT_EQ(Do("HELLO 3 AUTH default nope"),
            "-WRONGPASS invalid username-password pair or user is disabled.");
  EXPECT_EQ(Do("HELLO 3 AUTH default secret").substr(0, 9), "{\"server\"");
  EXPECT_TRUE(session.authenticated());
}

TEST_F(ConnectionTest, ClientNames) {
  EXPECT_EQ(Do("CLIENT GETNAME"), "nil");
  EXPECT_EQ(Do("CLIENT SETNAME \"two words\""),
            "-ERR Client names cannot contain spaces, newlines or special characters.");
  EXPECT_EQ(Do("CLIENT SETNAME w"), "OK");
  EXPECT_EQ(Do("CLIENT GETNAME"), "\"w\"");
  EXPECT_EQ(Do("CLIENT SETINFO lib-name kiwi-py"), "OK");
  EXPECT_EQ(Do("CLIENT SETINFO lib-ver \"1 2\""),
            "-ERR lib-ver cannot contain spaces, newlines or special characters.");
  EXPECT_EQ(Do("CLIENT SETINFO foo 1"), "-ERR Unrecognized option 'foo'");
  EXPECT_EQ(session.info.library_name, "kiwi-py");
  EXPECT_EQ(Do("RESET"), "RESET");
  EXPECT_EQ(Do("CLIENT GETNAME"), "nil");
}

TEST_F(ConnectionTest, ClientConsistencyCanBeSetAndSeen) {
  EXPECT_EQ(Do("CLIENT CONSISTENCY"), "\"linearizable\"");
  EXPECT_EQ(Do("CLIENT CONSISTENCY BOUNDED 500"), "OK");
  EXPECT_EQ(Do("CLIENT CONSISTENCY"), "\"bounded 500\"");
  EXPECT_EQ(Do("CLIENT CONSISTENCY any"), "OK");
  EXPECT_EQ(Do("CLIENT CONSISTENCY"), "\"any\"");
  const std::string arity = "-ERR wrong number of arguments for 'client|consistency' command";
  EXPECT_EQ(Do("CLIENT CONSISTENCY BOUNDED"), arity);
  EXPECT_EQ(Do("CLIENT CONSISTENCY ANY 5"), arity);
  EXPECT_EQ(Do("CLIENT CONSISTENCY BOUNDED 0"),
            "-ERR value is out of range, value must between 1 and 86400000");
  EXPECT_EQ(Do("CLIENT CONSISTENCY BOUNDED soon"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Do("CLIENT CONSISTENCY strong"),
            "-ERR consistency must be one of linearizable, bounded or any");
  EXPECT_EQ(Do("CLIENT CONSISTENCY"), "\"any\"") << "a refused level changes nothing";
  EXPECT_EQ(Do("CLIENT CONSISTENCY LINEARIZABLE"), "OK");
  EXPECT_EQ(Do("CLIENT CONSISTENCY"), "\"linearizable\"");
}

TEST_F(ConnectionTest, ClientPriorityCanBeSetAndSeen) {
  EXPECT_EQ(Do("CLIENT PRIORITY"), "\"normal\"");
  EXPECT_EQ(Do("CLIENT PRIORITY HIGH"), "OK");
  EXPECT_EQ(Do("CLIENT PRIORITY"), "\"high\"");
  EXPECT_EQ(Do("CLIENT PRIORITY critical"), "-ERR priority must be one of high, normal or low");
}

TEST_F(ConnectionTest, ClientKillByOldAndNewForm) {
  server.clients = {session.info, {.id = 8, .address = "10.0.0.8:8"}};
  EXPECT_EQ(Do("CLIENT KILL 1.2.3.4:5"), "-ERR No such client");
  EXPECT_EQ(Do("CLIENT KILL 10.0.0.8:8"), "OK");
  EXPECT_EQ(Do("CLIENT KILL ID 8"), "1");
  EXPECT_EQ(Do("CLIENT KILL ID 7"), "0") << "spares itself by default";
  EXPECT_FALSE(session.closing);
  EXPECT_EQ(Do("CLIENT KILL ID 7 SKIPME no"), "1");
  EXPECT_TRUE(session.closing);
  EXPECT_EQ(Do("CLIENT KILL TYPE replica"), "0");
  EXPECT_EQ(Do("CLIENT KILL TYPE foo"), "-ERR Unknown client type 'foo'");
  EXPECT_EQ(Do("CLIENT KILL ID 0"), "-ERR client-id should be greater than 0");
  EXPECT_EQ(Do("CLIENT KILL USER bob"), "-ERR No such user 'bob'");
  EXPECT_EQ(Do("CLIENT KILL ID 8 ADDR"), "-ERR syntax error");
}

TEST_F(ConnectionTest, ClientListChooses) {
  server.clients = {session.info, {.id = 8, .address = "10.0.0.8:8"}};
  const std::string all = Do("CLIENT LIST");
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 2);
  EXPECT_NE(Do("CLIENT LIST ID 8 9").find("addr=10.0.0.8:8"), std::string::npos);
  EXPECT_EQ(Do("CLIENT LIST TYPE pubsub"), "\"\"");
  EXPECT_EQ(Do("CLIENT LIST ID x"), "-ERR Invalid client ID");
  EXPECT_EQ(Do("CLIENT LIST foo"), "-ERR syntax error");
}

TEST_F(ConnectionTest, ClientPauseHasAMomentInTheClocksTime) {
  EXPECT_EQ(Do("CLIENT PAUSE 1000 WRITE"), "OK");
  EXPECT_EQ(server.paused, PauseMode::kWrites);
  EXPECT_EQ(server.paused_until_ms, kStartMs + 1000);
  EXPECT_EQ(Do("CLIENT PAUSE x"), "-ERR timeout is not an integer or out of range");
  EXPECT_EQ(Do("CLIENT PAUSE -1"), "-ERR timeout is negative");
  EXPECT_EQ(Do("CLIENT PAUSE 1 READ"), "-ERR CLIENT PAUSE mode must be WRITE or ALL");
  EXPECT_EQ(Do("CLIENT UNPAUSE"), "OK");
  EXPECT_FALSE(server.paused);
}

TEST_F(ConnectionTest, ClientReplyModes) {
  EXPECT_EQ(Do("CLIENT REPLY ON"), "OK");
  Do("CLIENT REPLY SKIP");
  EXPECT_EQ(session.reply_mode, ReplyMode::kSkipNext);
  Do("CLIENT REPLY OFF");
  EXPECT_EQ(session.reply_mode, ReplyMode::kOff);
  EXPECT_EQ(Do("CLIENT REPLY maybe"), "-ERR syntax error");
}

TEST_F(ConnectionTest, UnknownSubcommandsAndArity) {
  EXPECT_EQ(Do("CLIENT FOO"), "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.");
  EXPECT_EQ(Do("CLIENT"), "-ERR wrong number of arguments for 'client' command");
  EXPECT_EQ(Do("CLIENT ID x"), "-ERR wrong number of arguments for 'client|id' command");
}

}  // namespace
}  // namespace kiwi::commands
