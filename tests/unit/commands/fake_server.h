// A session and a server without I/O, and a fixture that runs connection and server commands on
// them. What a test looks at is public data.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commands/server_view.h"
#include "commands/session_view.h"
#include "protocol/request_parser.h"
#include "unit/commands/harness.h"

namespace kiwi::commands {

class FakeSession final : public SessionView {
 public:
  uint64_t id() const override { return info.id; }
  ClientInfo Describe() const override { return info; }
  int db() const override { return info.db; }
  void SetDb(int index) override { info.db = index; }
  std::string_view name() const override { return info.name; }
  void SetName(std::string_view name) override { info.name = name; }
  void SetLibraryName(std::string_view name) override { info.library_name = name; }
  void SetLibraryVersion(std::string_view version) override { info.library_version = version; }
  int resp_version() const override { return info.resp_version; }
  void SetRespVersion(int version) override { info.resp_version = version; }
  bool authenticated() const override { return is_authenticated; }
  void SetAuthenticated(bool yes) override { is_authenticated = yes; }
  std::string_view user() const override { return info.user; }
  void SetReplyMode(ReplyMode mode) override { reply_mode = mode; }
  ClientPriority priority() const override { return info.priority; }
  void SetPriority(ClientPriority priority) override { info.priority = priority; }
  void SetNoEvict(bool on) override { info.no_evict = on; }
  void SetReadOnly(bool on) override { read_only = on; }
  ReadConsistency consistency() const override { return reads; }
  void SetConsistency(ReadConsistency consistency) override { reads = consistency; }
  uint64_t last_write() const override { return 42; }
  void CloseAfterReply() override { closing = true; }
  void Reset() override { info = {.id = info.id}; }
  bool in_transaction() const override { return false; }

  ClientInfo info{.id = 7, .address = "10.0.0.7:7", .local_address = "10.0.0.1:6379"};
  ReplyMode reply_mode = ReplyMode::kOn;
  bool is_authenticated = true;
  bool closing = false;
  bool read_only = false;
  ReadConsistency reads;
};

class FakeServer final : public ServerView {
 public:
  FakeServer(keyspace::Keyspace* keyspace, Clock* clock) : keyspace_(keyspace), clock_(clock) {}

  Clock& clock() override { return *clock_; }
  bool PasswordRequired() const override { return password.has_value(); }
  bool CheckPassword(std::string_view user, std::string_view given) const override {
    return user == "default" && (!password || *password == given);
  }
  std::vector<NameValue> ConfigList() const override { return options; }
  std::optional<ConfigSetError> ConfigSet(NameValueViews set) override {
    for (const auto& [name, value] : set) {
      if (name != "timeout") return ConfigSetError{.unknown = true, .name = std::string(name)};
      if (value == "bad") {
        return ConfigSetError{.name = std::string(name), .reason = "argument must be a number"};
      }
    }
    return std::nullopt;
  }
  Status ConfigRewrite() override { return {StatusCode::kNotFound, "no file"}; }
  void CollectInfo(uint32_t, InfoFigures* out) override { *out = figures; }
  bool cluster_enabled() const override { return cluster.enabled; }
  ClusterState DescribeCluster() override { return cluster; }
  uint64_t ReplicasWith(uint64_t index) override { return index == last_write ? replicas : 0; }
  void ResetStats() override {}
  std::string AllocatorReport() override { return {}; }
  void PurgeAllocator() override {}
  std::vector<ClientInfo> ListClients(const ClientFilter& filter) override {
    std::vector<ClientInfo> found = clients;
    std::erase_if(found, [&](const ClientInfo& c) { return !filter.Matches(c); });
    return found;
  }
  size_t KillClients(const ClientFilter& filter, uint64_t) override {
    return ListClients(filter).size();
  }
  bool UnblockClient(uint64_t, bool) override { return false; }
  void PauseClients(PauseMode mode, int64_t until_wall_ms) override {
    paused = mode;
    paused_until_ms = until_wall_ms;
  }
  void UnpauseClients() override { paused.reset(); }
  std::vector<SlowlogEntry> Slowlog(size_t count_max) const override {
    return {slow.begin(),
            slow.begin() + static_cast<std::ptrdiff_t>(std::min(count_max, slow.size()))};
  }
  size_t SlowlogLength() const override { return slow.size(); }
  void SlowlogReset() override { slow.clear(); }
  int64_t LatencyThresholdMs() const override { return 100; }
  std::vector<LatencyEvent> LatencyEvents() const override { return events; }
  size_t LatencyReset(std::span<const std::string_view>) override { return events.size(); }
  std::vector<CommandHistogram> LatencyHistograms() const override { return histograms; }
  Status Checkpoint(bool) override { return checkpoint_status; }
  Result<BackupReport> Backup(std::string_view path) override {
    if (!checkpoint_status.ok()) return checkpoint_status;
    return BackupReport{.path = std::string(path), .index = 7, .term = 2, .bytes = 1234};
  }
  Status RequestShutdown(const ShutdownRequest& request) override {
    shutdown = request;
    return {};
  }
  bool AbortShutdown() override { return false; }
  void ReadKeyspace(int db, keyspace::ShardSet, FunctionRef<void(keyspace::Db&)> read) override {
    keyspace::Db view(*keyspace_, db, {.now_ms = clock_->WallMs()});
    read(view);
  }
  std::string ExecuteWrite(int, std::span<const std::string_view> args) override {
    written.emplace_back(args.begin(), args.end());
    return "+OK\r\n";
  }
  Status SetDiskFault(std::string_view fault, std::string_view value) override {
    disk_faults.emplace_back(std::string(fault), std::string(value));
    return {};
  }
  GroupView* group() override { return group_view; }
  FaultView* faults() override { return fault_view; }
  void SetActiveExpire(bool on) override { active_expire = on; }
  void SleepUs(int64_t us) override { slept_us += us; }
  void HoldShards(keyspace::ShardSet, int64_t us) override { slept_us += us; }
  int ShardHolders() const override { return 0; }
  void ReleaseShards() override {}

  std::optional<std::string> password;
  std::vector<NameValue> options;
  InfoFigures figures;
  ClusterState cluster{.ok = true, .own = 1, .nodes = {{.node = 1, .leader = true}}};
  uint64_t replicas = 0;
  uint64_t last_write = 42;
  std::vector<ClientInfo> clients;
  std::optional<PauseMode> paused;
  int64_t paused_until_ms = 0;
  std::vector<SlowlogEntry> slow;
  std::vector<LatencyEvent> events;
  std::vector<CommandHistogram> histograms;
  Status checkpoint_status;
  std::optional<ShutdownRequest> shutdown;
  std::vector<std::vector<std::string>> written;
  std::vector<std::pair<std::string, std::string>> disk_faults;
  FaultView* fault_view = nullptr;
  GroupView* group_view = nullptr;
  bool active_expire = true;
  int64_t slept_us = 0;

 private:
  keyspace::Keyspace* const keyspace_;
  Clock* const clock_;
};

class ServerCommandTest : public CommandTest {
 protected:
  // As CommandTest::Run, for commands that see the session and the server.
  std::string Do(std::string_view line) {
    std::vector<std::string> words;
    EXPECT_TRUE(protocol::SplitInlineArgs(line, &words)) << line;
    const std::vector<std::string_view> args(words.begin(), words.end());
    const Command* command = CommandTable::Get().Find(args);
    if (command == nullptr) return "-" + CommandTable::UnknownCommandError(args);
    if (!CommandTable::ArityOk(*command, args.size())) {
      return "-" + CommandTable::ArityError(*command);
    }
    std::string out;
    protocol::ReplyWriter reply(&out, session.resp_version());
    keyspace::Db db(keyspace(), session.db(), {.now_ms = clock.WallMs()});
    Context ctx{.args = args,
                .db = db,
                .keyspace = keyspace(),
                .reply = reply,
                .session = &session,
                .server = &server};
    command->row->handler(ctx);
    if (out.empty()) return "(nothing)";
    std::string_view resp = out;
    std::string text = Render(&resp);
    EXPECT_TRUE(resp.empty()) << line << " wrote more than one reply: " << out;
    return text;
  }

  ManualClock clock{kStartMs};
  FakeSession session;
  FakeServer server{&keyspace(), &clock};
};

}  // namespace kiwi::commands
