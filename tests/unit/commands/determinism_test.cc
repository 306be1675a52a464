// What every node relies on: after the same log of commands, whatever they are, each keyspace holds
// the same, in the same order, and has answered the same. One of the two here is read from as well.
//
// The commands come from the table, with arguments that are mostly wrong; so this is also a test that
// no arguments break a handler or make it answer anything but one well-formed reply.
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "protocol/reply_writer.h"
#include "unit/commands/harness.h"

namespace kiwi::commands {
namespace {

using keyspace::Keyspace;
using keyspace::LockMode;
using keyspace::Moment;
using keyspace::ShardLock;

class Node {
 public:
  std::string Run(const Command& command, const std::vector<std::string>& words, int db_index,
                  const Moment& moment, uint64_t seed) {
    const std::vector<std::string_view> args(words.begin(), words.end());
    std::string out;
    protocol::ReplyWriter reply(&out, 3);
    const ShardLock lock(*keyspace_, CommandTable::Shards(command, args),
                         command.Is(kWrite) ? LockMode::kExclusive : LockMode::kShared);
    keyspace::Db db(*keyspace_, db_index, moment);
    Context ctx{.args = args, .db = db, .keyspace = *keyspace_, .reply = reply, .seed = seed};
    command.row->handler(ctx);
    return out;
  }

  // All keys in the order of iteration, with what they hold.
  std::string Contents(int64_t now_ms) {
    std::string text;
    const Moment moment{now_ms, 0};
    for (int db = 0; db < 3; ++db) {
      const std::string keys = Call("keys", {"keys", "*"}, db, moment);
      text += keys;
      std::string_view resp = keys;
      for (const std::string& key : BulkStrings(Render(&resp))) {
        for (const char* name : {"dump", "pexpiretime"})
          text += Call(name, {name, key}, db, moment);
      }
    }
    return text;
  }

  std::array<uint8_t, 20> Digest(int64_t now_ms) const { return keyspace_->Digest(now_ms); }

 private:
  std::string Call(std::string_view name, const std::vector<std::string>& words, int db,
                   const Moment& moment) {
    return Run(*CommandTable::Get().FindByName(name), words, db, moment, 1);
  }

  static std::vector<std::string> BulkStrings(const std::string& text) {
    std::vector<std::string> strings;
    for (size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at)) {
      const size_t end = text.find('"', at + 1);
      strings.push_back(text.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    return strings;
  }

  std::unique_ptr<Keyspace> keyspace_ =
      std::make_unique<Keyspace>(keyspace::KeyspaceOptions{.databases = 3, .hash_seed = 7});
};

class CommandSource {
 public:
  explicit CommandSource(uint64_t seed) : random_(seed) {
    for (const Command& command : CommandTable::Get().commands()) Add(command);
  }

  const Command& PickWrite() { return *writes_[random_.Below(writes_.size())]; }
  const Command& PickRead() { return *reads_[random_.Below(reads_.size())]; }
  Random& random() { return random_; }

  // As many as the arity allows, keys where keys belong, anything elsewhere.
  std::vector<std::string> Args(const Command& command) {
    const CommandRow& row = *command.row;
    std::vector<std::string> args = {std::string(row.name)};
    if (command.parent != nullptr)
      args.insert(args.begin(), std::string(command.parent->row->name));
    const size_t least = static_cast<size_t>(std::abs(row.arity));
    const size_t count = least + (row.arity < 0 ? random_.Below(5) : 0);
    while (args.size() < count) args.push_back(Word());
    std::vector<std::string_view> views(args.begin(), args.end());
    std::vector<int> positions;
    CommandTable::KeyPositions(command, views, &positions);
    for (const int i : positions) args[static_cast<size_t>(i)] = Key();
    return args;
  }

 private:
  void Add(const Command& command) {
    const Group group = command.row->group;
    const bool mine = group == Group::kString || group == Group::kHash || group == Group::kGeneric;
    if (command.row->handler != nullptr && mine) {
      if (command.Is(kWrite)) writes_.push_back(&command);
      if (command.Is(kReadOnly)) reads_.push_back(&command);
    }
    for (const Command& sub : command.subcommands) Add(sub);
  }

  std::string Key() { return "k" + std::to_string(random_.Below(9)); }

  std::string Word() {
    static const std::vector<std::string> kWords = {
        "0",
        "1",
        "-1",
        "5",
        "100",
        "a",
        "b",
        "f1",
        "f2",
        "f3",
        "1.5",
        "-0.25",
        "x y",
        "",
        "nx",
        "XX",
        "get",
        "ex",
        "PX",
        "keepttl",
        "persist",
        "pxat",
        "exat",
        "gt",
        "lt",
        "replace",
        "db",
        "absttl",
        "withvalues",
        "match",
        "count",
        "idx",
        "len",
        "inf",
        "1e400",
        "*",
        "1000",
        "1700000001",
        "200000",
        "1700000300",
        "idletime",
        "1700000000500",
        "string",
        "type",
        "freq",
        "9999999999",
        "minmatchlen",
        "9223372036854775807",
        std::string(70, 'z'),
        std::string("\x00\x05hello\n\x00\x63\x72\xdf\x76\x65\x34\x20\x0a", 17),
    };
    if (random_.OneIn(12)) return std::to_string(random_.Below(1000));
    return kWords[random_.Below(kWords.size())];
  }

  Random random_;
  std::vector<const Command*> writes_;
  std::vector<const Command*> reads_;
};

bool IsOneReply(const std::string& out) {
  std::string_view resp = out;
  Render(&resp);
  return resp.empty();
}

TEST(Determinism, TheSameLogGivesTheSameStateAndReplies) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    CommandSource source(seed);
    Node leader;
    Node follower;
    int64_t now_ms = 1'700'000'000'000;
    for (uint64_t index = 1; index <= 8000; ++index) {
      now_ms += static_cast<int64_t>(source.random().Below(50));
      const int db = static_cast<int>(source.random().Below(3));
      const uint64_t entry_seed = source.random().Next();
      const Command& write = source.PickWrite();
      const auto args = source.Args(write);
      const std::string reply = leader.Run(write, args, db, {now_ms, index}, entry_seed);
      ASSERT_TRUE(IsOneReply(reply)) << write.full_name << ": " << reply;
      ASSERT_EQ(follower.Run(write, args, db, {now_ms, index}, entry_seed), reply);

      const Command& read = source.PickRead();
      const auto read_args = source.Args(read);
      const std::string answer = leader.Run(read, read_args, db, {now_ms, 0}, index);
      ASSERT_TRUE(IsOneReply(answer)) << read.full_name << ": " << answer;
    }
    EXPECT_EQ(leader.Digest(now_ms), follower.Digest(now_ms));
    const std::string contents = leader.Contents(now_ms);
    EXPECT_EQ(contents, follower.Contents(now_ms));
    EXPECT_GT(contents.size(), 300u) << "too little was left to compare";
  }
}

}  // namespace
}  // namespace kiwi::commands
