#include "server/client_registry.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace kiwi::server {
namespace {

ClientEndpoint From(std::string address) {
  return {
      .address = std::move(address), .local_address = "127.0.0.1:6379", .fd = 9, .created_ms = 0};
}

TEST(ClientRegistryTest, ListsByIdAndForgetsWhoLeft) {
  ClientRegistry registry;
  const auto first = registry.Add(From("10.0.0.1:1"), [](uint64_t) {});
  const auto second = registry.Add(From("10.0.0.2:2"), [](uint64_t) {});
  const auto third = registry.Add(From("10.0.0.3:3"), [](uint64_t) {});
  EXPECT_EQ(registry.count(), 3u);
  EXPECT_LT(first->id, second->id);
  registry.Remove(second->id);

  const auto clients = registry.List({}, 5000);
  ASSERT_EQ(clients.size(), 2u);
  EXPECT_EQ(clients[0].id, first->id);
  EXPECT_EQ(clients[0].age_s, 5);
  EXPECT_EQ(clients[1].address, "10.0.0.3:3");
}

TEST(ClientRegistryTest, ShowsWhatTheSessionStored) {
  ClientRegistry registry;
  const auto record = registry.Add(From("10.0.0.1:1"), [](uint64_t) {});
  record->SetName("worker-1");
  record->db.store(3);
  record->active_ms.store(4000);
  record->priority.store(static_cast<int>(commands::ClientPriority::kHigh));
  record->queued_commands.store(2);
  record->SetFlag(ClientRecord::kNoEvict, true);
  const std::string line = commands::FormatClientInfo(record->Describe(9000));
  EXPECT_NE(line.find("addr=10.0.0.1:1 laddr=127.0.0.1:6379 fd=9 name=worker-1 age=9 idle=5 "
                      "flags=xe db=3 "),
            std::string::npos)
      << line;
  EXPECT_NE(line.find(" multi=2 "), std::string::npos) << line;
  EXPECT_NE(line.find(" cmd=NULL "), std::string::npos) << line;
  EXPECT_NE(line.find(" priority=high"), std::string::npos) << line;
}

TEST(ClientRegistryTest, KillsOthersAndLeavesItselfToItsSession) {
  ClientRegistry registry;
  std::vector<uint64_t> closed;
  auto close = [&](uint64_t id) { closed.push_back(id); };
  const auto self = registry.Add(From("10.0.0.1:1"), close);
  const auto other = registry.Add(From("10.0.0.1:2"), close);
  registry.Add(From("10.0.0.1:3"), close);

  commands::ClientFilter by_address;
  by_address.address = "10.0.0.1:2";
  EXPECT_EQ(registry.Kill(by_address, self->id, 0), 1u);
  EXPECT_EQ(closed, std::vector<uint64_t>{other->id});
  EXPECT_EQ(registry.Kill(by_address, self->id, 0), 0u) << "it was told before";
  EXPECT_EQ(registry.count(), 2u) << "it is as good as gone";
  EXPECT_EQ(registry.List({}, 0).size(), 2u);
  registry.Remove(other->id);
  EXPECT_EQ(registry.count(), 2u);

  commands::ClientFilter by_id;
  by_id.ids = {self->id};
  EXPECT_EQ(registry.Kill(by_id, self->id, 0), 1u);
  EXPECT_EQ(closed.size(), 1u) << "its own connection closes behind the reply";

  commands::ClientFilter but_me;
  but_me.except_id = self->id;
  EXPECT_EQ(registry.Kill(but_me, self->id, 0), 1u);
}

TEST(ClientRegistryTest, ThreadsComeAndGoWhileOthersList) {
  ClientRegistry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const auto record = registry.Add(From("10.0.0.1:1"), [](uint64_t) {});
        record->SetName("n" + std::to_string(i));
        registry.Remove(record->id);
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    for (const auto& client : registry.List({}, 0)) EXPECT_EQ(client.address, "10.0.0.1:1");
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(registry.count(), 0u);
}

}  // namespace
}  // namespace kiwi::server
