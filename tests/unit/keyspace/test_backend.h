// A backend in memory that runs a test's code between writes and fails when it is told to.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "storage/backend.h"
#include "storage/factory.h"

namespace kiwi::keyspace {

class TestBackend final : public storage::Backend {
 public:
  TestBackend() : inner_(storage::OpenBackend({.name = "memory"}).value()) {}

  // Called before each row is put into a batch.
  std::function<void()> before_put;
  // So many writes succeed; then all fail until it is raised.
  int writes_left = 1 << 30;
  int writes = 0;
  bool last_write_synced = false;

  std::unique_ptr<storage::WriteBatch> NewBatch() const override {
    return std::make_unique<Batch>(inner_->NewBatch(), before_put);
  }
  Status Write(const storage::WriteOptions& options, storage::WriteBatch* batch) override {
    KIWI_RETURN_IF_ERROR(Fail());
    ++writes;
    last_write_synced = options.sync;
    return inner_->Write(options, static_cast<Batch*>(batch)->inner.get());
  }
  Status Sync() override { return Fail(); }
  Status Flush() override { return inner_->Flush(); }
  Status Get(const storage::ReadOptions& options, std::string_view key,
             std::string* value) const override {
    return inner_->Get(options, key, value);
  }
  std::unique_ptr<storage::Iterator> NewIterator(
      const storage::ReadOptions& options) const override {
    return inner_->NewIterator(options);
  }
  std::unique_ptr<const storage::Snapshot> GetSnapshot() const override {
    return inner_->GetSnapshot();
  }
  storage::Stats GetStats() const override { return inner_->GetStats(); }
  Status Resume() override { return inner_->Resume(); }
  std::string_view Name() const override { return "test"; }

  size_t Rows() const {
    size_t n = 0;
    auto it = NewIterator({});
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++n;
    return n;
  }

 private:
  struct Batch final : storage::WriteBatch {
    Batch(std::unique_ptr<storage::WriteBatch> b, std::function<void()> h)
        : inner(std::move(b)), hook(std::move(h)) {}
    void Put(std::string_view key, std::string_view value) override {
      if (hook) hook();
      inner->Put(key, value);
    }
    void PutParts(std::string_view key, const std::string_view* parts, size_t count) override {
      if (hook) hook();
      inner->PutParts(key, parts, count);
    }
    void Delete(std::string_view key) override { inner->Delete(key); }
    void DeleteRange(std::string_view begin, std::string_view end) override {
      inner->DeleteRange(begin, end);
    }
    void Clear() override { inner->Clear(); }
    size_t SizeBytes() const override { return inner->SizeBytes(); }

    std::unique_ptr<storage::WriteBatch> inner;
    std::function<void()> hook;
  };

  Status Fail() {
    if (writes_left <= 0) return {StatusCode::kNoSpace, "the test's disk is full"};
    --writes_left;
    return {};
  }

  std::unique_ptr<storage::Backend> inner_;
};

}  // namespace kiwi::keyspace
