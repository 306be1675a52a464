#include "raft/node/entry_codec.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace kiwi::raft {
namespace {

std::string SomeRecords() {
  std::string out;
  const std::vector<std::string_view> set = {"SET", "key", std::string_view("a\0b", 3)};
  AppendCommand(3, set, &out);
  const std::vector<WatchedKey> watches = {{.db = 1, .existed = true, .key = "w"},
                                           {.db = 0, .existed = false, .key = ""}};
  AppendTransactionHeader(77, watches, 2, &out);
  AppendCommandBody(0, std::vector<std::string_view>{"INCR", "n"}, &out);
  AppendCommandBody(5, set, &out);
  return out;
}

TEST(EntryCodec, EnvelopeAndRecordsComeBackAsTheyWent) {
  std::string entry;
  AppendEnvelope({.time_ms = 1234567890123, .seed = 42}, &entry);
  entry += SomeRecords();

  std::string_view in = entry;
  Envelope envelope;
  ASSERT_TRUE(ReadEnvelope(&in, &envelope).ok());
  EXPECT_EQ(envelope.feature_level, kFeatureLevel);
  EXPECT_EQ(envelope.time_ms, 1234567890123);
  EXPECT_EQ(envelope.seed, 42u);

  RecordReader reader;
  ASSERT_TRUE(reader.Next(&in));
  EXPECT_EQ(reader.kind(), RecordKind::kCommand);
  EXPECT_EQ(reader.command().db, 3u);
  ASSERT_EQ(reader.command().args.size(), 3u);
  EXPECT_EQ(reader.command().args[2], std::string_view("a\0b", 3));

  ASSERT_TRUE(reader.Next(&in));
  ASSERT_EQ(reader.kind(), RecordKind::kTransaction);
  const TransactionRecord& transaction = reader.transaction();
  EXPECT_EQ(transaction.watch_index, 77u);
  ASSERT_EQ(transaction.watches.size(), 2u);
  EXPECT_TRUE(transaction.watches[0].existed);
  EXPECT_FALSE(transaction.watches[1].existed);
  ASSERT_EQ(transaction.command_count, 2u);
  EXPECT_EQ(transaction.commands[0].args[0], "INCR");
  EXPECT_EQ(transaction.commands[1].db, 5u);

  EXPECT_FALSE(reader.Next(&in));
  EXPECT_TRUE(reader.status().ok());
}

TEST(EntryCodec, ACutEntryIsDamageAndNotTheEnd) {
  const std::string records = SomeRecords();
  // The records end where the first one does, and at their end; anywhere else is damage.
  std::string first;
  AppendCommand(3, std::vector<std::string_view>{"SET", "key", std::string_view("a\0b", 3)},
                &first);
  for (size_t cut = 1; cut < records.size(); ++cut) {
    std::string_view in = std::string_view(records).substr(0, cut);
    RecordReader reader;
    while (reader.Next(&in)) {
    }
    EXPECT_EQ(reader.status().ok(), cut == first.size()) << "cut at " << cut;
  }
}

TEST(EntryCodec, VersionsAndLevelsOfTheFutureAreRefused) {
  std::string entry;
  AppendEnvelope({}, &entry);
  Envelope envelope;
  std::string newer = entry;
  newer[0] = 2;
  std::string_view in = newer;
  EXPECT_EQ(ReadEnvelope(&in, &envelope).code(), StatusCode::kSerialization);

  std::string higher;
  AppendEnvelope({.feature_level = kFeatureLevel + 1}, &higher);
  in = higher;
  EXPECT_EQ(ReadEnvelope(&in, &envelope).code(), StatusCode::kSerialization);
  in = {};
  EXPECT_EQ(ReadEnvelope(&in, &envelope).code(), StatusCode::kSerialization);
}

TEST(EntryCodec, AnyBytesAreReadOrRefused) {
  Random random(7);
  const std::string records = SomeRecords();
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = records;
    for (int i = 0; i < 3; ++i) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Next());
    }
    std::string_view in = bytes;
    RecordReader reader;
    while (reader.Next(&in)) {
      for (const std::string_view arg : reader.command().args) {
        if (reader.kind() == RecordKind::kCommand) {
          EXPECT_LE(arg.size(), bytes.size()) << "round " << round;
        }
      }
    }
  }
}

}  // namespace
}  // namespace kiwi::raft
