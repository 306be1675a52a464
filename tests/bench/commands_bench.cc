// What a command costs before and in its handler: the lookup by name, the shards of its keys, and the
// whole of a GET and a SET against the keyspace, without server and network.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "commands/command.h"
#include "keyspace/keyspace.h"
#include "protocol/reply_writer.h"

namespace kiwi::commands {
namespace {

void BM_Find(benchmark::State& state) {
  static constexpr std::string_view kNames[] = {"get",    "SET",  "hincrbyfloat", "MGET",
                                                "expire", "incr", "Hset",         "pexpireat"};
  const CommandTable& table = CommandTable::Get();
  size_t i = 0;
  for (auto _ : state) {
    const std::string_view args[] = {kNames[i++ % std::size(kNames)], "key"};
    benchmark::DoNotOptimize(table.Find(args));
  }
}
BENCHMARK(BM_Find);

void BM_FindSubcommand(benchmark::State& state) {
  const std::string_view args[] = {"OBJECT", "ENCODING", "key"};
  for (auto _ : state) benchmark::DoNotOptimize(CommandTable::Get().Find(args));
}
BENCHMARK(BM_FindSubcommand);

void BM_Shards(benchmark::State& state) {
  const std::string_view args[] = {"get", "key:000000001234"};
  const Command& command = *CommandTable::Get().Find(args);
  for (auto _ : state) benchmark::DoNotOptimize(CommandTable::Shards(command, args).bits());
}
BENCHMARK(BM_Shards);

void Run(benchmark::State& state, std::vector<std::string_view> args) {
  keyspace::Keyspace keyspace(keyspace::KeyspaceOptions{.hash_seed = 7});
  std::vector<std::string> keys;
  for (int i = 0; i < 1024; ++i) keys.push_back("key:" + std::to_string(100'000'000'000 + i));
  std::string out;
  protocol::ReplyWriter reply(&out, 2);
  uint64_t index = 0;
  for (auto _ : state) {
    args[1] = keys[index++ % keys.size()];
    const Command& command = *CommandTable::Get().Find(args);
    const bool writes = command.Is(kWrite);
    const keyspace::ShardLock lock(
        keyspace, CommandTable::Shards(command, args),
        writes ? keyspace::LockMode::kExclusive : keyspace::LockMode::kShared);
    keyspace::Db db(keyspace, 0, {1'700'000'000'000, writes ? index : 0});
    Context ctx{.args = args, .db = db, .keyspace = keyspace, .reply = reply};
    command.row->handler(ctx);
    if (out.size() > (64 << 10)) out.clear();
  }
}

const std::string kValue(64, 'x');
BENCHMARK_CAPTURE(Run, get, {"get", ""});  // of missing keys
BENCHMARK_CAPTURE(Run, set, {"set", "", kValue});
BENCHMARK_CAPTURE(Run, set_px, {"set", "", kValue, "px", "100000"});
BENCHMARK_CAPTURE(Run, incr, {"incr", ""});
BENCHMARK_CAPTURE(Run, hset, {"hset", "", "field", kValue});

}  // namespace
}  // namespace kiwi::commands
