#include "raft/node/proposal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

namespace kiwi::raft {
namespace {

using runtime::Priority;

class Named final : public Proposal {
 public:
  Named(char name, Priority priority, size_t size) : records_(size, name), priority_(priority) {}
  std::string_view records() const override { return records_; }
  Priority priority() const override { return priority_; }
  bool slow() const override { return false; }
  void Failed(ProposalError) override {}

 private:
  const std::string records_;
  const Priority priority_;
};

class ProposalQueueTest : public testing::Test {
 protected:
  void Push(const std::string& names, Priority priority, size_t size = 1) {
    for (const char name : names) {
      EXPECT_TRUE(queue_.Push(&proposals_.emplace_back(name, priority, size)));
    }
  }
  // The names of one entry, in order.
  std::string Take(size_t max_bytes) {
    std::vector<Proposal*> taken;
    queue_.Take(max_bytes, &taken);
    std::string names;
    for (const Proposal* proposal : taken) names += proposal->records().front();
    return names;
  }

  ProposalQueue queue_;
  std::deque<Named> proposals_;
};

TEST_F(ProposalQueueTest, StrictTakesHigherLevelsFirst) {
  Push("lm", Priority::kLow);
  Push("no", Priority::kNormal);
  Push("hi", Priority::kHigh);
  Push("c", Priority::kCritical);
  EXPECT_EQ(Take(4), "chin");
  EXPECT_EQ(Take(4), "olm");
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ProposalQueueTest, WeightedGivesEachLevelItsShareOfAnEntry) {
  queue_.SetScheduling(true, {0, 3, 2, 1});
  Push("hhhhhhhhhhhh", Priority::kHigh);
  Push("nnnnnnnnnnnn", Priority::kNormal);
  Push("llllllllllll", Priority::kLow);
  for (int i = 0; i < 3; ++i) {
    const std::string entry = Take(6);
    EXPECT_EQ(std::count(entry.begin(), entry.end(), 'h'), 3) << entry;
    EXPECT_EQ(std::count(entry.begin(), entry.end(), 'n'), 2) << entry;
    EXPECT_EQ(std::count(entry.begin(), entry.end(), 'l'), 1) << entry;
  }
  Push("c", Priority::kCritical);
  EXPECT_EQ(Take(6).front(), 'c') << "Critical is always first";
}

TEST_F(ProposalQueueTest, WhatHadNoRoomInItsTurnBeginsTheNextEntry) {
  queue_.SetScheduling(true, {0, 3, 2, 1});
  Push("L", Priority::kLow, 90);
  Push("hhhhhhhhh", Priority::kHigh, 20);
  std::string entries;
  for (int i = 0; i < 4; ++i) entries += Take(100) + " ";
  EXPECT_NE(entries.find(" L"), std::string::npos) << entries;
  EXPECT_TRUE(queue_.empty()) << entries;
}

TEST_F(ProposalQueueTest, ClosedItGivesOutWhatItHasAndTakesNoMore) {
  Push("a", Priority::kNormal);
  queue_.Close();
  EXPECT_FALSE(queue_.Push(&proposals_.emplace_back('b', Priority::kNormal, 1)));
  EXPECT_EQ(Take(100), "a");
  EXPECT_TRUE(queue_.empty());
}

}  // namespace
}  // namespace kiwi::raft
