// Clients and a state machine for stories of one node: how often each is answered, and with what.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "raft/node/entry_codec.h"
#include "raft/node/node.h"

namespace kiwi::raft::fakes {

template <typename Condition>
void WaitUntil(Condition condition, const char* what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited in vain for: " << what;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

class Write final : public Proposal {
 public:
  explicit Write(std::string_view name) {
    AppendCommand(0, std::vector<std::string_view>{name}, &records_);
  }
  std::string_view records() const override { return records_; }
  runtime::Priority priority() const override { return runtime::Priority::kNormal; }
  bool slow() const override { return false; }
  void Failed(ProposalError error) override {
    error_ = error;
    ++answers;
  }
  void Applied() {
    applied_ = true;
    ++answers;
  }
  bool applied() const { return applied_; }
  ProposalError error() const { return error_; }
  std::atomic<int> answers{0};

 private:
  std::string records_;
  std::atomic<bool> applied_{false};
  std::atomic<ProposalError> error_{};
};

class Read final : public ReadWaiter {
 public:
  void ReadReady(ReadProof) override { ++answers; }
  void ReadRefused() override {
    refused = true;
    ++answers;
  }
  std::atomic<bool> refused{false};
  std::atomic<int> answers{0};
};

class Names final : public StateMachine {
 public:
  Status Apply(const Entry& entry, std::span<Proposal* const> local) override {
    std::string_view in = entry.bytes();
    Envelope envelope;
    KIWI_RETURN_IF_ERROR(ReadEnvelope(&in, &envelope));
    RecordReader reader;
    MutexLock lock(mu_);
    while (reader.Next(&in)) names_.emplace_back(reader.command().args[0]);
    for (Proposal* proposal : local) static_cast<Write*>(proposal)->Applied();
    return reader.status();
  }
  void BeginCheckpoint(const SnapshotMeta&, const Membership&) override {}
  Status RunCheckpoint() override { return {}; }
  std::vector<std::string> names() {
    MutexLock lock(mu_);
    return names_;
  }

 private:
  Mutex mu_;
  std::vector<std::string> names_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::raft::fakes
