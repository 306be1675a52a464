#include "commands/fault_view.h"
#include "unit/commands/fake_server.h"

namespace kiwi::commands {
namespace {

class FakeFaults final : public FaultView {
 public:
  int64_t DefaultAmount(std::string_view kind) const override { return kind == "delay" ? 77 : 1; }
  double DefaultProbability() const override { return 0.75; }
  Result<uint64_t> Inject(const FaultOrder& order) override {
    if (!refusal.ok()) return refusal;
    active.push_back({.id = active.size() + 1, .order = order});
    return active.size();
  }
  std::vector<ActiveFault> List() const override { return active; }
  bool Clear(uint64_t id) override {
    return std::erase_if(active, [id](const ActiveFault& f) { return f.id == id; }) != 0;
  }
  size_t ClearAll() override {
    const size_t count = active.size();
    active.clear();
    return count;
  }
  std::vector<FaultEvent> Events() const override {
    return {{.wall_ms = 1, .what = "first"}, {.wall_ms = 2, .what = "second", .from = 1, .to = 3}};
  }

  Status refusal;
  std::vector<ActiveFault> active;
};

class FaultTest : public ServerCommandTest {
 protected:
  void SetUp() override { server.fault_view = &faults; }
  const FaultOrder& Last() const { return faults.active.back().order; }
  FakeFaults faults;
};

TEST_F(FaultTest, AllIsRefusedUnlessEnabledFromTheStart) {
  server.fault_view = nullptr;
  for (const char* line : {"FAULT.INJECT crash", "FAULT.LIST", "FAULT.CLEAR", "FAULT.LOG"}) {
    EXPECT_EQ(Do(line),
              "-ERR fault injection is disabled: set fault.enabled yes in the configuration and "
              "start the server anew");
  }
}

TEST_F(FaultTest, FaultsOfLinksNameDirectionAndProbability) {
  EXPECT_EQ(Do("FAULT.INJECT Partition from 1 to 2"), "1");
  EXPECT_EQ(Last().kind, "partition");
  EXPECT_EQ(Last().from, 1U);
  EXPECT_EQ(Last().to, 2U);
  EXPECT_EQ(Do("FAULT.INJECT drop from * to 2 probability 0.25"), "2");
  EXPECT_EQ(Last().from, 0U);
  EXPECT_EQ(Last().probability, 0.25);
  EXPECT_EQ(Do("FAULT.INJECT delay 40 from 1"), "3");
  EXPECT_EQ(Last().amount, 40);
  EXPECT_EQ(Do("FAULT.INJECT reorder ms 7"), "4");
  EXPECT_EQ(Last().amount, 7);
}

TEST_F(FaultTest, WhatIsLeftOutIsTheConfigurations) {
  Do("FAULT.INJECT delay");
  EXPECT_EQ(Last().amount, 77);
  EXPECT_EQ(Last().probability, 0.75);
  Do("FAULT.INJECT delay 5 probability 1");
  EXPECT_EQ(Last().amount, 5);
  EXPECT_EQ(Last().probability, 1.0);
  Do("FAULT.INJECT partition from 1 to 2");
  EXPECT_EQ(Last().probability, 1.0) << "a partition is always whole";
}

TEST_F(FaultTest, WhatMakesNoSenseIsRefusedWithTheUsage) {
  constexpr std::string_view kWrong = "-ERR syntax error, or a value out of range; usage: ";
  for (const char* line :
       {"drop probability 2", "drop 5", "delay 0", "partition probability 0.5", "partition from 0",
        "partition from", "clock-skew from 1", "pause 60001", "clock-drift -91", "crash now"}) {
    EXPECT_EQ(Do(std::string("FAULT.INJECT ") + line).substr(0, kWrong.size()), kWrong) << line;
  }
  EXPECT_EQ(Do("FAULT.INJECT earthquake").substr(0, 19), "-ERR no such fault;");
  EXPECT_TRUE(faults.active.empty());
  faults.refusal = {StatusCode::kUnavailable, "needs the file layer"};
  EXPECT_EQ(Do("FAULT.INJECT slow-disk"), "-ERR needs the file layer");
}

TEST_F(FaultTest, FaultsAreListedAndCleared) {
  Do("FAULT.INJECT clock-skew -500");
  Do("FAULT.INJECT slow-disk 20");
  EXPECT_EQ(Do("FAULT.LIST").substr(0, 35), "[[\"id\", 1, \"kind\", \"clock-skew\", \"f");
  EXPECT_EQ(Do("FAULT.CLEAR 9"), "0");
  EXPECT_EQ(Do("FAULT.CLEAR 1"), "1");
  EXPECT_EQ(Do("FAULT.CLEAR"), "1");
  EXPECT_EQ(Do("FAULT.LIST"), "[]");
  EXPECT_EQ(Do("FAULT.LOG 1"),
            "[[\"time\", 2, \"event\", \"second\", \"from\", \"1\", \"to\", \"3\"]]");
}

}  // namespace
}  // namespace kiwi::commands
