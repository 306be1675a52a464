// How lone nodes become members: servers in this process, which are asked, invited, and ended.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "config/config.h"
#include "server/internal_write.h"
#include "server/server_commands.h"
#include "server/settings.h"
#include "server/settings_cluster.h"
#include "testing/temp_dir.h"

namespace kiwi::server {
namespace {

using ::testing::HasSubstr;

// A socket that is bound, so that its port is this test's; it may listen, and never accepts.
class Port {
 public:
  enum class Use : uint8_t { kReserve, kListen };

  explicit Port(Use use) {
    static Random random(EntropySeed());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    do {
      Close();
      fd_ = socket(AF_INET, SOCK_STREAM, 0);
      number_ = static_cast<int>(31'000 + random.Below(1'000));  // below those of clients
      address.sin_port = htons(static_cast<uint16_t>(number_));
    } while (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0);
    if (use == Use::kListen) {
      EXPECT_EQ(listen(fd_, 16), 0);
    }
  }
  ~Port() { Close(); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  int number() const { return number_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
  int number_ = 0;
};

int FreePort() { return Port(Port::Use::kReserve).number(); }

bool SomebodyListens(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// What main makes, without a process to start anew.
class Lone {
 public:
  explicit Lone(const std::string& more = "") : raft_port_(FreePort()) {
    const std::string text = "[network]\nport = 0\nunixsocket = " + dir_.Child("socket") +
                             "\n[storage]\nbackend = memory\ndir = " + dir_.Child("data") +
                             "\n[raft]\nbind = 127.0.0.1\nport = " + std::to_string(raft_port_) +
                             "\n" + more;
    std::filesystem::create_directory(dir_.Child("data"));
    auto config = config::Config::Parse(text, "k.conf", {});
    EXPECT_TRUE(config.ok()) << config.status().ToString();
    config_ = std::move(*config);
    ServerOptions options = MakeServerOptions(*config_);
    EXPECT_TRUE(SetUpCluster(*config_, &options).ok());
    auto engine = Engine::Open(options.engine, &SystemClock());
    EXPECT_TRUE(engine.ok()) << engine.status().ToString();
    server_ = std::make_unique<Server>(options, std::move(*engine), &SystemClock());
    view_ = std::make_unique<ServerCommands>(
        server_.get(), config_.get(), &SystemClock(), [](const commands::ShutdownRequest&) {},
        [this] { restarts_.fetch_add(1); }, nullptr);
    server_->SetView(view_.get());
    BindSettings(config_.get(), server_.get());
    started_ = server_->Start();
  }
  ~Lone() { server_->Stop(); }

  Status started() const { return started_; }
  int raft_port() const { return raft_port_; }
  commands::HostPort address() const { return {.host = "127.0.0.1", .port = raft_port_}; }
  Server& server() { return *server_; }
  Cluster& cluster() { return *server_->cluster(); }
  GroupAdmin& admin() { return view_->group_admin(); }
  int restarts() const { return restarts_.load(); }
  size_t members() { return server_->engine().node().membership().members.size(); }
  std::string Set(std::string_view option, std::string_view value) {
    const std::vector<std::pair<std::string_view, std::string_view>> pairs = {{option, value}};
    const auto error = config_->Set(pairs);
    return error ? error->ToString() : "OK";
  }
  bool HasIdentity() const {
    return std::filesystem::exists(dir_.Child("data") + "/" + kIdentityFileName);
  }
  std::string Write(const std::vector<std::string>& args) {
    return ExecuteInternalWrite(server_->engine().node(), 0, args);
  }

 private:
  testing::TempDir dir_;
  const int raft_port_;
  std::unique_ptr<config::Config> config_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<ServerCommands> view_;
  std::atomic<int> restarts_{0};
  Status started_;
};

// Shakes hands as a node does; says always the same to those who want to join, or nothing.
class Mute final : public raft::TransportHandler {
 public:
  Mute() : transport_({.self = 77, .port = FreePort()}, this) {
    EXPECT_TRUE(transport_.Start().ok());
  }
  ~Mute() override { transport_.Stop(); }

  raft::Transport& transport() { return transport_; }
  commands::HostPort address() const { return {.host = "127.0.0.1", .port = transport_.port()}; }
  int asked() const { return asked_.load(); }
  // Before anybody asks.
  void Say(JoinAnswer answer) { answer_ = EncodeJoinAnswer(answer); }
  // What the node says to it; empty: it follows.
  std::string Invite(Lone& node, const Invitation& invitation) {
    return Invite(node, EncodeInvitation(invitation));
  }
  std::string Invite(Lone& node, const std::string& payload) {
    constexpr int64_t kAnswerMs = 60'000;
    std::promise<std::string> said;
    transport_.AskToJoin("127.0.0.1", node.raft_port(), kInviteKind, payload, kAnswerMs,
                         [&said](const Result<std::string>& answer) {
                           said.set_value(answer.ok() ? *answer : answer.status().ToString());
                         });
    return said.get_future().get();
  }
  Invitation InvitationOf(Lone& node, raft::NodeId as) const {
    return {.host = "127.0.0.1",
            .port = transport_.port(),
            .as = {.id = as, .raft_host = "127.0.0.1", .raft_port = node.raft_port()}};
  }

  void OnMessage(raft::Message&&) override {}
  void OnUnreachable(raft::NodeId) override {}
  void OnService(raft::NodeId from, raft::ServiceKind, std::string&&) override {
    asked_.fetch_add(1);
    if (answer_.empty()) return;
    (void)transport_.SendService(from, kJoinKind | raft::kServiceReply, answer_);
  }
  void OnServiceDown(raft::NodeId, raft::ServiceEnd) override {}

 private:
  std::atomic<int> asked_{0};
  std::string answer_;
  raft::Transport transport_;
};

bool Never() { return false; }

TEST(Joining, AShutdownEndsTheWaitForOneWhoSaysNothing) {
  Lone node;
  Mute mute;
  Result<JoinAnswer> answer = JoinAnswer{};
  std::thread waiting([&] {
    constexpr int64_t kHourMs = 3'600'000;
    answer = node.cluster().AskToJoin("127.0.0.1", mute.address().port, node.cluster().self(),
                                      kHourMs, Never);
  });
  EXPECT_TRUE(Eventually([&] { return mute.asked() > 0; }));
  node.cluster().Interrupt();
  waiting.join();
  EXPECT_EQ(answer.status().code(), StatusCode::kAborted) << answer.status().ToString();
}

TEST(Joining, AnOperatorIsToldThatTheServerGoes) {
  Lone node;
  Mute mute;
  Status joined;
  std::thread operating([&] { joined = node.admin().Join({mute.address()}); });
  EXPECT_TRUE(Eventually([&] { return mute.asked() > 0; }));
  node.server().Stop();
  operating.join();
  EXPECT_EQ(joined.code(), StatusCode::kAborted);
  EXPECT_THAT(std::string(joined.message()), HasSubstr("shutting down"));
  EXPECT_EQ(node.restarts(), 0);
}

TEST(Joining, OneWhoSaysNothingDoesNotKeepTheOthersFromBeingAsked) {
  Lone node;
  Lone group;
  Mute mute;
  const Port silent(Port::Use::kListen);
  const commands::HostPort nobody = {.host = "127.0.0.1", .port = FreePort()};
  const commands::HostPort deaf = {.host = "127.0.0.1", .port = silent.number()};
  const Status joined = node.admin().Join({nobody, deaf, mute.address(), group.address()});
  EXPECT_TRUE(joined.ok()) << joined.ToString();
  EXPECT_EQ(group.members(), 2u);
}

TEST(Joining, AnInvitationGivesWayToAnOperator) {
  Lone node;
  Lone group;
  Mute inviter;
  const Invitation invitation = inviter.InvitationOf(node, 5);
  inviter.transport().AskToJoin("127.0.0.1", node.raft_port(), kInviteKind,
                                EncodeInvitation(invitation), 60'000,
                                [](const Result<std::string>&) {});
  ASSERT_TRUE(Eventually([&] { return inviter.asked() > 0; })) << "the invitation is followed";
  const Status joined = node.admin().Join({group.address()});
  EXPECT_TRUE(joined.ok()) << joined.ToString();
  EXPECT_EQ(node.restarts(), 1);
  node.server().Stop();
  EXPECT_TRUE(node.admin().CommitJoin().ok());
  EXPECT_TRUE(node.HasIdentity());
}

TEST(Joining, WhoJoinsTakesNobodyIn) {
  Lone node;
  Lone other;
  Mute mute;
  std::thread operating([&] { (void)node.admin().Join({mute.address()}); });
  EXPECT_TRUE(Eventually([&] { return mute.asked() > 0; }));
  const auto answer = other.cluster().AskToJoin("127.0.0.1", node.raft_port(),
                                                other.cluster().self(), 60'000, Never);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->verdict, JoinVerdict::kLater);
  EXPECT_THAT(answer->reason, HasSubstr("joining a group itself"));
  const Status added = node.admin().AddNode(9, {.host = "127.0.0.1", .port = 1}, {});
  EXPECT_EQ(added.code(), StatusCode::kBusy) << added.ToString();
  node.server().Stop();
  operating.join();
  EXPECT_EQ(node.members(), 1u);
}

TEST(Joining, OfTwoThatAskEachOtherOneTakesTheOtherIn) {
  Lone one;
  Lone two;
  Status joined_one;
  Status joined_two;
  std::thread first([&] { joined_one = one.admin().Join({two.address()}); });
  std::thread second([&] { joined_two = two.admin().Join({one.address()}); });
  first.join();
  second.join();
  EXPECT_NE(joined_one.ok(), joined_two.ok())
      << joined_one.ToString() << ", " << joined_two.ToString();
  EXPECT_EQ(one.restarts() + two.restarts(), 1);
  const Status& refused = joined_one.ok() ? joined_two : joined_one;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("member of a group already"));
  for (Lone* node : {&one, &two}) {
    node->server().Stop();
    EXPECT_EQ(node->admin().CommitJoin().ok(), node->restarts() == 1);
    EXPECT_EQ(node->HasIdentity(), node->restarts() == 1);
  }
}

TEST(Joining, OfTwoThatAddEachOtherNoneGivesItselfUp) {
  Lone one;
  Lone two;
  const Status added_one = one.admin().AddNode(2, two.address(), {});
  const Status added_two = two.admin().AddNode(2, one.address(), {});
  // Between the two, the second may have followed the first's invitation: then it adds nobody.
  if (added_two.ok()) {
    const auto refused = [](Lone& node) {
      const Status joined = node.admin().Join({{.host = "127.0.0.1", .port = 1}});
      return joined.code() == StatusCode::kInvalidArgument;
    };
    EXPECT_TRUE(added_one.ok()) << added_one.ToString();
    EXPECT_TRUE(refused(one) && refused(two));
    EXPECT_EQ(one.restarts() + two.restarts(), 0);
  } else {
    EXPECT_EQ(added_two.code(), StatusCode::kBusy) << added_two.ToString();
    EXPECT_TRUE(Eventually([&] { return two.restarts() == 1; }));
    EXPECT_EQ(one.restarts(), 0);
  }
}

TEST(Joining, WhatWasWrittenMeanwhileIsNotGivenUp) {
  Lone node;
  Lone group;
  ASSERT_TRUE(node.admin().Join({group.address()}).ok());
  EXPECT_EQ(node.Write({"set", "mine", "yes"}), "+OK\r\n");
  node.server().Stop();
  const Status committed = node.admin().CommitJoin();
  EXPECT_EQ(committed.code(), StatusCode::kAborted);
  EXPECT_THAT(std::string(committed.message()), HasSubstr("holds keys"));
  EXPECT_THAT(std::string(committed.message()), HasSubstr("RAFT.NODE REMOVE 2"));
  EXPECT_FALSE(node.HasIdentity());
}

// Accepted, and then a leader by some other way: nothing of that may be wiped.
TEST(Joining, AGroupOfItsOwnIsNotGivenUp) {
  Lone node;
  Lone group;
  ASSERT_TRUE(node.admin().Join({group.address()}).ok());
  node.cluster().gate().EndJoining();
  ASSERT_TRUE(node.admin().AddNode(7, {.host = "127.0.0.1", .port = FreePort()}, {}).ok());
  node.server().Stop();
  const Status committed = node.admin().CommitJoin();
  EXPECT_EQ(committed.code(), StatusCode::kAborted);
  EXPECT_THAT(std::string(committed.message()), HasSubstr("member of a group already"));
  EXPECT_FALSE(node.HasIdentity());
}

JoinAnswer Accepted(raft::NodeId id, int raft_port) {
  JoinAnswer answer{.verdict = JoinVerdict::kAccepted, .id = id};
  answer.membership.cluster_id = 9;
  answer.membership.Put({.id = 1, .raft_host = "127.0.0.1", .raft_port = 1});
  answer.membership.Put({.id = id, .raft_host = "127.0.0.1", .raft_port = raft_port});
  return answer;
}

TEST(Invitations, AFreshNodeFollows) {
  Lone node;
  Mute inviter;
  inviter.Say(Accepted(5, node.raft_port()));
  EXPECT_EQ(node.Write({"_hash-limits", "100", "100"}), "+OK\r\n") << "as at a start";
  EXPECT_EQ(inviter.Invite(node, inviter.InvitationOf(node, 5)), "");
  EXPECT_EQ(node.restarts(), 1);
  node.server().Stop();
  EXPECT_TRUE(node.admin().CommitJoin().ok());
  EXPECT_TRUE(node.HasIdentity());
}

TEST(Invitations, ANodeThatHasTakenWritesFollowsNoneEvenIfItIsEmptyAgain) {
  Lone node;
  Mute inviter;
  inviter.Say(Accepted(5, node.raft_port()));
  EXPECT_EQ(node.Write({"set", "a", "b"}), "+OK\r\n");
  EXPECT_THAT(inviter.Invite(node, inviter.InvitationOf(node, 5)), HasSubstr("holds keys"));
  EXPECT_EQ(node.Write({"del", "a"}), ":1\r\n");
  EXPECT_THAT(inviter.Invite(node, inviter.InvitationOf(node, 5)), HasSubstr("has taken writes"));
  EXPECT_EQ(inviter.asked(), 0);
  ASSERT_TRUE(node.server().engine().node().WaitCheckpoint().ok());
  EXPECT_TRUE(Eventually([&] { return node.server().engine().log().FirstIndex() > 1; }));
  EXPECT_THAT(inviter.Invite(node, inviter.InvitationOf(node, 5)), HasSubstr("has taken writes"));
  Lone group;
  const Status joined = node.admin().Join({group.address()});
  EXPECT_TRUE(joined.ok()) << "an operator said so: " << joined.ToString();
}

TEST(Invitations, WhatCameAndWentAfterTheAnswerIsNotGivenUpEither) {
  Lone node;
  Mute inviter;
  inviter.Say(Accepted(5, node.raft_port()));
  EXPECT_EQ(inviter.Invite(node, inviter.InvitationOf(node, 5)), "");
  EXPECT_EQ(node.Write({"set", "a", "b"}), "+OK\r\n");
  EXPECT_EQ(node.Write({"del", "a"}), ":1\r\n");
  node.server().Stop();
  EXPECT_EQ(node.admin().CommitJoin().code(), StatusCode::kAborted);
  EXPECT_FALSE(node.HasIdentity());
}

TEST(Invitations, AnOperatorMayRefuseThemAll) {
  Lone node("accept-invitations = no\n");
  Mute inviter;
  inviter.Say(Accepted(5, node.raft_port()));
  EXPECT_THAT(inviter.Invite(node, inviter.InvitationOf(node, 5)),
              HasSubstr("raft.accept-invitations"));
  EXPECT_EQ(inviter.asked(), 0);
  EXPECT_EQ(node.Set("raft.accept-invitations", "yes"), "OK");
  EXPECT_EQ(inviter.Invite(node, inviter.InvitationOf(node, 5)), "");
}

TEST(Invitations, NobodyBecomesSomebodyElse) {
  Lone node;
  const auto refused = [&node](const JoinAnswer& answer, std::string_view why) {
    Mute inviter;
    inviter.Say(answer);
    EXPECT_THAT(inviter.Invite(node, inviter.InvitationOf(node, 5)), HasSubstr(std::string(why)));
    EXPECT_EQ(inviter.asked(), 1);
  };
  refused(Accepted(6, node.raft_port()), "invited as node 5, but taken in as node 6");
  refused(Accepted(5, node.raft_port() + 1), "is another one there");
  JoinAnswer removed = Accepted(7, node.raft_port());
  removed.id = 5;
  refused(removed, "no member there");
  refused({.verdict = JoinVerdict::kRedirect, .host = "127.0.0.1", .port = node.raft_port()},
          "is this node itself");
  EXPECT_EQ(node.restarts(), 0);
}

TEST(Invitations, ThoseThatMakeNoSenseAreAnsweredWhy) {
  Lone node;
  Mute inviter;
  Invitation invitation = inviter.InvitationOf(node, 5);
  invitation.as.raft_host = "0.0.0.0";
  EXPECT_THAT(inviter.Invite(node, invitation), HasSubstr("no address"));
  invitation = inviter.InvitationOf(node, uint64_t{1} << 63);
  EXPECT_THAT(inviter.Invite(node, invitation), HasSubstr("out of range"));
  EXPECT_THAT(inviter.Invite(node, "nonsense"), HasSubstr("another version"));
  invitation = inviter.InvitationOf(node, 5);
  invitation.port = node.raft_port();
  EXPECT_THAT(inviter.Invite(node, invitation), HasSubstr("is this node itself"));
  EXPECT_EQ(inviter.asked(), 0);
}

// The view that invitations go to is gone before the server object is.
TEST(Joining, AStartThatFailsLateLeavesNothingThatCouldBeInvited) {
  const Port taken(Port::Use::kListen);
  Lone node("[metrics]\nport = " + std::to_string(taken.number()) + "\n");
  EXPECT_FALSE(node.started().ok());
  EXPECT_FALSE(SomebodyListens(node.raft_port()));
}

}  // namespace
}  // namespace kiwi::server
