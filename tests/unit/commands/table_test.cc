#include <string>
#include <vector>

#include "unit/commands/harness.h"

namespace kiwi::commands {
namespace {

const Command* Find(std::vector<std::string_view> args) { return CommandTable::Get().Find(args); }

std::string Unknown(std::vector<std::string_view> args) {
  return CommandTable::UnknownCommandError(args);
}

TEST(CommandTable, FindsNamesInAnyCase) {
  ASSERT_NE(Find({"get", "a"}), nullptr);
  EXPECT_EQ(Find({"GET", "a"}), Find({"get", "a"}));
  EXPECT_EQ(Find({"GeT", "a"})->full_name, "get");
  EXPECT_EQ(Find({"INCRBYFLOAT"})->full_name, "incrbyfloat");
}

TEST(CommandTable, DoesNotFindWhatIsOnlyAlike) {
  using namespace std::string_view_literals;
  for (const std::string_view name :
       {""sv, "g"sv, "gett"sv, "ge"sv, "get\0"sv, " get"sv, "get "sv, "\x07\x05\x14"sv, "g%t"sv,
        "object|encoding"sv, "averyveryverylongnameofacommand"sv}) {
    EXPECT_EQ(Find({name}), nullptr) << name;
  }
}

TEST(CommandTable, EveryCommandIsFoundUnderItsNameAndItsId) {
  const CommandTable& table = CommandTable::Get();
  int count = 0;
  const auto check = [&](const Command& command) {
    ++count;
    EXPECT_EQ(table.FindByName(command.full_name), &command) << command.full_name;
    EXPECT_EQ(&table.ById(command.id), &command);
    EXPECT_FALSE(command.row->summary.empty()) << command.full_name;
    EXPECT_NE(command.row->arity, 0) << command.full_name;
  };
  for (const Command& command : table.commands()) {
    check(command);
    for (const Command& sub : command.subcommands) {
      check(sub);
      EXPECT_EQ(sub.parent, &command);
    }
  }
  EXPECT_EQ(table.id_count(), count);
}

TEST(CommandTable, ReadsAndWritesNameTheirKeysOrTakeAll) {
  for (const Command& command : CommandTable::Get().commands()) {
    if (command.row->handler == nullptr || !command.Is(kWrite | kReadOnly)) continue;
    if (command.full_name == "lolwut") continue;  // reads nothing, and is flagged as in Redis
    EXPECT_TRUE(command.row->keys.first > 0 || command.Is(kAllShards) || command.row->find_keys)
        << command.full_name;
    EXPECT_FALSE(command.Is(kWrite) && command.Is(kReadOnly)) << command.full_name;
  }
}

TEST(CommandTable, SubcommandsAreFoundUnderTheirContainer) {
  ASSERT_NE(Find({"OBJECT", "Encoding", "k"}), nullptr);
  EXPECT_EQ(Find({"OBJECT", "Encoding", "k"})->full_name, "object|encoding");
  EXPECT_EQ(Find({"object"})->full_name, "object");
  EXPECT_EQ(Find({"object", "get"}), nullptr);
  EXPECT_EQ(Find({"encoding"}), nullptr);
}

TEST(CommandTable, UnknownCommandsAreNamedWithWhatFollows) {
  EXPECT_EQ(Unknown({"foo"}), "ERR unknown command 'foo', with args beginning with: ");
  EXPECT_EQ(Unknown({"foo", "a", "b"}),
            "ERR unknown command 'foo', with args beginning with: 'a' 'b' ");
  EXPECT_EQ(Unknown({"f\r\no", "a\nb"}),
            "ERR unknown command 'f  o', with args beginning with: 'a b' ");
  EXPECT_EQ(Unknown({"object", "foo"}), "ERR unknown subcommand 'foo'. Try OBJECT HELP.");
}

TEST(CommandTable, UnknownCommandsAreCutWhereRedisCutsThem) {
  const std::string f(200, 'f'), x(100, 'x'), y(100, 'y');
  EXPECT_EQ(Unknown({f, x, y, "z"}), "ERR unknown command '" + std::string(128, 'f') +
                                         "', with args beginning with: '" + x + "' '" +
                                         std::string(25, 'y') + "' ");
  // 125 bytes and their quotes fill the 128.
  const std::string full(125, 'x');
  EXPECT_EQ(Unknown({"foo", full, y}),
            "ERR unknown command 'foo', with args beginning with: '" + full + "' ");
  using namespace std::string_view_literals;
  EXPECT_EQ(Unknown({"foo\0bar"sv, "a\0b"sv}),
            "ERR unknown command 'foo', with args beginning with: 'a' ");
}

TEST(CommandTable, ArityErrorsNameTheSubcommandInFull) {
  EXPECT_EQ(CommandTable::ArityError(*Find({"GET"})),
            "ERR wrong number of arguments for 'get' command");
  EXPECT_EQ(CommandTable::ArityError(*Find({"OBJECT", "ENCODING"})),
            "ERR wrong number of arguments for 'object|encoding' command");
  EXPECT_TRUE(CommandTable::ArityOk(*Find({"get"}), 2));
  EXPECT_FALSE(CommandTable::ArityOk(*Find({"get"}), 3));
  EXPECT_TRUE(CommandTable::ArityOk(*Find({"mget"}), 20));
  EXPECT_FALSE(CommandTable::ArityOk(*Find({"mget"}), 1));
}

TEST(CommandTable, KeysAreWhereTheRowSays) {
  const auto keys = [](std::vector<std::string_view> args) {
    std::vector<int> positions;
    EXPECT_TRUE(CommandTable::KeyPositions(*Find(args), args, &positions));
    return positions;
  };
  EXPECT_EQ(keys({"get", "a"}), std::vector<int>({1}));
  EXPECT_EQ(keys({"mset", "a", "1", "b", "2"}), std::vector<int>({1, 3}));
  EXPECT_EQ(keys({"del", "a", "b", "c"}), std::vector<int>({1, 2, 3}));
  EXPECT_EQ(keys({"lcs", "a", "b", "idx"}), std::vector<int>({1, 2}));
  EXPECT_EQ(keys({"object", "encoding", "a"}), std::vector<int>({2}));
  EXPECT_EQ(keys({"keys", "*"}), std::vector<int>());
  std::vector<int> positions;
  EXPECT_FALSE(CommandTable::KeyPositions(
      *Find({"rename"}), std::vector<std::string_view>{"rename", "a"}, &positions));
}

TEST(CommandTable, LocksTheShardsOfItsKeys) {
  const auto shards = [](std::vector<std::string_view> args) {
    return CommandTable::Shards(*Find(args), args).bits();
  };
  keyspace::ShardSet a, ab;
  a.AddKey("a");
  ab.AddKey("a");
  ab.AddKey("b");
  EXPECT_EQ(shards({"get", "a"}), a.bits());
  EXPECT_EQ(shards({"mset", "a", "b", "b", "a"}), ab.bits());
  EXPECT_EQ(shards({"keys", "*"}), ~uint64_t{0});
  EXPECT_EQ(shards({"object", "help"}), 0u);
}

TEST(CommandTable, CategoriesFollowFromTheFlags) {
  EXPECT_EQ(AclCategories(*Find({"get"})->row), kCatRead | kCatString | kCatFast);
  EXPECT_EQ(AclCategories(*Find({"keys"})->row),
            kCatKeyspace | kCatRead | kCatSlow | kCatDangerous);
  EXPECT_EQ(AclCategories(*Find({"object"})->row), uint32_t{kCatSlow});
}

TEST(CommandTable, KeySpecsComeFromTheRangeOrTheList) {
  const auto one = KeySpecs(*Find({"lcs"})->row);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].begin, 1);
  EXPECT_EQ(one[0].last, 1);
  const auto two = KeySpecs(*Find({"rename"})->row);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[1].begin, 2);
  EXPECT_EQ(two[1].flags, kKeyOW | kKeyUpdate);
  EXPECT_EQ(KeySpecs(*Find({"mset"})->row)[0].last, -1);
  EXPECT_TRUE(KeySpecs(*Find({"keys"})->row).empty());
}

}  // namespace
}  // namespace kiwi::commands
