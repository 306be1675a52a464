// Runs every story of stories/ as a test of its own.
#include <gtest/gtest.h>

#include "unit/raft/core/script.h"

namespace kiwi::raft {
namespace {

class StoryTest : public testing::TestWithParam<std::string> {};

TEST_P(StoryTest, Holds) { EXPECT_EQ(RunStory(GetParam()), ""); }

std::string TestName(const testing::TestParamInfo<std::string>& story) {
  std::string name = StoryName(story.param);
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, StoryTest, testing::ValuesIn(Stories()), TestName);

}  // namespace
}  // namespace kiwi::raft
