// Writes on their way to another node's log: each leaves exactly once, whatever the answer looks like.
#include "raft/node/forwarding.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/coding.h"

namespace kiwi::raft {
namespace {

constexpr uint64_t kIncarnation = 0x1122334455667788;

class Write final : public Proposal {
 public:
  explicit Write(std::string records) : records_(std::move(records)) {}
  std::string_view records() const override { return records_; }
  runtime::Priority priority() const override { return runtime::Priority::kNormal; }
  bool slow() const override { return false; }
  void Failed(ProposalError) override {}

 private:
  const std::string records_;
};

std::string Set(const char* key) {
  std::string record;
  const std::string_view args[] = {"set", key, "v"};
  AppendCommand(0, args, &record);
  return record;
}

std::string Forward(ForwardedProposals& ours, const std::vector<Proposal*>& writes) {
  const uint64_t first = ours.Reserve(writes.size());
  ours.Add(first, writes);
  return ours.Encode(first, writes);
}

Result<std::vector<RemoteProposal*>> Decode(const std::string& message,
                                            const RemoteProposal::Answer& answer) {
  return RemoteProposal::Decode(2, std::make_shared<const std::string>(message), answer);
}

const RemoteProposal::Answer kNobodyAnswers = [](NodeId, const std::string&) { FAIL(); };

TEST(Forwarding, ADamagedRecordRefusesTheWholeMessageByName) {
  ForwardedProposals ours(kIncarnation);
  Write good(Set("a"));
  Write bad("\x7f not a record");
  std::string message = Forward(ours, {&good, &bad});
  EXPECT_FALSE(Decode(message, kNobodyAnswers).ok());

  const auto refused = ours.TakeRefused(RemoteProposal::RefusalOf(message));
  ASSERT_EQ(refused.size(), 2u);
  for (const auto& [proposal, error] : refused) EXPECT_EQ(error, ProposalError::kUnreadable);
  EXPECT_TRUE(ours.TakeAll().empty());
  EXPECT_EQ(ours.bytes(), 0u);
}

TEST(Forwarding, WhatCannotBeNamedIsUnknownWithAllThatIsUnderWay) {
  for (size_t cut :
       {0, 5, 12}) {  // nothing at all, within the incarnation, within the second write
    ForwardedProposals ours(kIncarnation);
    Write earlier(Set("a"));
    Write first(Set("b"));
    Write second(Set("c"));
    std::string before = Forward(ours, {&earlier});
    std::string message = Forward(ours, {&first, &second});
    message.resize(cut == 12 ? message.size() - 2 : cut);
    ASSERT_FALSE(Decode(message, kNobodyAnswers).ok());
    const auto refused = ours.TakeRefused(RemoteProposal::RefusalOf(message));
    EXPECT_EQ(refused.size(), 3u) << cut;
    for (const auto& [proposal, error] : refused) {
      const bool named = cut == 12 && proposal == &first;
      EXPECT_EQ(error, named ? ProposalError::kUnreadable : ProposalError::kUnknown) << cut;
    }
  }
}

TEST(Forwarding, AnAnswerToAnEarlierLifeOfThisNodeMeansNothing) {
  ForwardedProposals before(kIncarnation + 1);
  ForwardedProposals ours(kIncarnation);
  Write write(Set("a"));
  std::string message = Forward(before, {&write});
  std::string same = Forward(ours, {&write});
  EXPECT_TRUE(ours.TakeRefused(RemoteProposal::RefusalOf(message)).empty());
  EXPECT_EQ(ours.TakeAll().size(), 1u);
}

TEST(Forwarding, ADamagedAnswerLeavesNobodyWaiting) {
  ForwardedProposals ours(kIncarnation);
  Write first(Set("a"));
  Write second(Set("b"));
  std::string message = Forward(ours, {&first, &second});
  std::string answer = RemoteProposal::RefusalOf(message);
  answer.resize(answer.size() - 1);
  const auto refused = ours.TakeRefused(answer);
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(refused[1].error, ProposalError::kUnknown);
}

}  // namespace
}  // namespace kiwi::raft
