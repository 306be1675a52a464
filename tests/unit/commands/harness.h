// Runs commands against a keyspace as the server does (found in the table, arity checked, shards
// locked), but without a server: at a moment that the test moves, on one thread.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command.h"
#include "keyspace/keyspace.h"

namespace kiwi::commands {

class CommandTest : public ::testing::Test {
 protected:
  static constexpr int64_t kStartMs = 1'700'000'000'000;

  // A line as one would type it into redis-cli. Answers the reply in a readable form: OK, 12,
  // "bulk", nil, -ERR …, [a, b], {k: v}.
  std::string Run(std::string_view line);
  std::string RunArgs(const std::vector<std::string>& args);
  // The bytes of the reply.
  std::string Raw(const std::vector<std::string>& args);
  // The content of a bulk string reply.
  std::string Bulk(std::string_view line);

  void Sleep(int64_t ms) { now_ms_ += ms; }
  void Select(int db) { db_ = db; }
  // Whether reads of much leave the most of it to be done behind their locks, and how many have.
  void ReadInSteps(bool on) { in_steps_ = on; }
  int left() const { return left_; }
  void RepeatSeed() { --seed_; }
  void UseResp(int version) { resp_version_ = version; }
  int64_t now_ms() const { return now_ms_; }
  keyspace::Keyspace& keyspace() { return keyspace_; }

 private:
  keyspace::Keyspace keyspace_{keyspace::KeyspaceOptions{.hash_seed = 7}};
  int64_t now_ms_ = kStartMs;
  uint64_t log_index_ = 0;
  uint64_t seed_ = 0;
  bool in_steps_ = false;
  int left_ = 0;
  int db_ = 0;
  int resp_version_ = 2;
};

// The readable form of the first value in `resp`, which is advanced past it.
std::string Render(std::string_view* resp);

}  // namespace kiwi::commands
