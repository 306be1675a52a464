// The wire and log encodings: what goes in comes out, and nothing damaged does.
#include "raft/core/codec.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/coding.h"
#include "base/hash.h"
#include "base/random.h"

namespace kiwi::raft {
namespace {

ConfState SampleConf() {
  ConfState conf;
  conf.voters = {1, 2, 300};
  conf.learners = {7};
  conf.voters_outgoing = {1, 2, 4};
  conf.learners_next = {4};
  conf.auto_leave = true;
  conf.index = 1000;
  return conf;
}

ConfChange SampleChange() {
  ConfChange change;
  change.transition = ConfChangeTransition::kJointExplicit;
  change.steps = {{ConfChangeType::kAddVoter, 5}, {ConfChangeType::kRemove, 1ULL << 60}};
  change.context = "10.0.0.5:6379";
  return change;
}

Message SampleMessage() {
  Message m;
  m.type = MessageType::kSnapshot;
  m.from = 1;
  m.to = ~0ULL;
  m.term = 12;
  m.index = 34;
  m.log_term = 11;
  m.commit = 33;
  m.reject = true;
  m.reject_hint = 17;
  m.context = 1ULL << 63;
  m.force = true;
  m.snapshot = {30, 10, SampleConf()};
  m.entries.push_back({.term = 11, .index = 35, .data = nullptr});
  m.entries.push_back({.term = 12,
                       .index = 36,
                       .type = EntryType::kConfChange,
                       .data = std::make_shared<const std::string>(EncodeConfChange({}))});
  m.entries.push_back(
      {.term = 12, .index = 37, .data = std::make_shared<const std::string>(100000, 'v')});
  return m;
}

std::string Encoded(const Message& m) {
  std::string bytes;
  EncodeMessage(m, &bytes);
  return bytes;
}

TEST(CodecTest, AMessageComesBackAsItWas) {
  const Message m = SampleMessage();
  const auto back = DecodeMessage(Encoded(m));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->type, m.type);
  EXPECT_EQ(back->to, m.to);
  EXPECT_EQ(back->context, m.context);
  EXPECT_EQ(back->snapshot, m.snapshot);
  EXPECT_TRUE(back->reject && back->force);
  ASSERT_EQ(back->entries.size(), 3u);
  EXPECT_EQ(back->entries[1].type, EntryType::kConfChange);
  EXPECT_EQ(back->entries[2].bytes(), m.entries[2].bytes());
  EXPECT_EQ(Encoded(*back), Encoded(m));
}

TEST(CodecTest, MembershipAndEntriesComeBackAsTheyWere) {
  EXPECT_EQ(*DecodeConfChange(EncodeConfChange(SampleChange())), SampleChange());
  std::string bytes;
  EncodeConfState(SampleConf(), &bytes);
  EncodeEntry({.term = 3, .index = 4, .data = nullptr}, &bytes);
  bytes += "rest";
  std::string_view in = bytes;
  EXPECT_EQ(*DecodeConfState(&in), SampleConf());
  const auto entry = DecodeEntry(&in);
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->index, 4u);
  EXPECT_EQ(in, "rest");
}

TEST(CodecTest, ANewerVersionIsRefusedByName) {
  std::string bytes = Encoded(SampleMessage());
  bytes[0] = 9;
  const auto back = DecodeMessage(bytes);
  EXPECT_EQ(back.status().code(), StatusCode::kSerialization);
  EXPECT_NE(back.status().message().find("version 9"), std::string::npos);
}

TEST(CodecTest, EveryFlippedBitAndEveryCutIsNoticed) {
  Message m = SampleMessage();
  m.entries.pop_back();
  const std::string good = Encoded(m);
  const std::string change = EncodeConfChange(SampleChange());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeMessage(bad).ok()) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(DecodeMessage(std::string_view(good).substr(0, size)).ok()) << size;
  }
  for (size_t bit = 0; bit < change.size() * 8; ++bit) {
    std::string bad = change;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeConfChange(bad).ok()) << bit;
  }
  EXPECT_FALSE(DecodeConfChange(change + "x").ok());
}

// A hostile peer can compute checksums: what lies behind them is not believed either.
TEST(CodecTest, RandomBytesBehindAValidChecksumDoNoHarm) {
  Random random(7);
  const std::string good = Encoded(SampleMessage()).substr(0, 120);
  for (int round = 0; round < 20000; ++round) {
    std::string body = good.substr(0, random.Below(good.size()));
    if (body.empty()) continue;
    for (uint64_t flips = random.Below(6); flips > 0; --flips) {
      body[random.Below(body.size())] = static_cast<char>(random.Next());
    }
    body[0] = 1;
    std::string whole = body;
    PutFixed<uint64_t>(&whole, Checksum64(body));
    (void)DecodeMessage(whole);
    whole = body;
    PutFixed<uint32_t>(&whole, static_cast<uint32_t>(Checksum64(body)));
    (void)DecodeConfChange(whole);
    std::string_view in = whole;
    (void)DecodeConfState(&in);
    in = whole;
    (void)DecodeEntry(&in);
  }
}

TEST(CodecTest, AMembershipThatCannotBeIsRefused) {
  for (ConfState conf : {ConfState{{2, 1}, {}, {}, {}, false}, ConfState{{1, 1}, {}, {}, {}, false},
                         ConfState{{}, {1}, {}, {}, false}, ConfState{{1}, {1}, {}, {}, false},
                         ConfState{{1}, {}, {}, {2}, false}, ConfState{{1}, {}, {}, {}, true},
                         ConfState{{0}, {}, {}, {}, false}}) {
    std::string bytes;
    EncodeConfState(conf, &bytes);
    std::string_view in = bytes;
    EXPECT_EQ(DecodeConfState(&in).status().code(), StatusCode::kCorruption);
    EXPECT_EQ(in.size(), bytes.size());
  }
}

}  // namespace
}  // namespace kiwi::raft
