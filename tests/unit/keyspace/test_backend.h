// A backend in memory that runs a test's code between writes and fails when it is told to.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
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
  int failures = 0;
  // Writes of a meta that could become durable before what it makes valid, or not at all.
  int careless_metas = 0;

  std::unique_ptr<storage::WriteBatch> NewBatch() const override {
    return std::make_unique<Batch>(inner_->NewBatch(), &before_put);
  }
  Status Write(const storage::WriteOptions& options, storage::WriteBatch* batch) override {
    KIWI_RETURN_IF_ERROR(Fail());
    ++writes;
    const auto* rows = static_cast<const Batch*>(batch);
    if (rows->has_meta && (!options.sync || !all_synced_)) ++careless_metas;
    all_synced_ = options.sync;
    return inner_->Write(options, static_cast<Batch*>(batch)->inner.get());
  }
  Status Sync() override {
    KIWI_RETURN_IF_ERROR(Fail());
    all_synced_ = true;
    return {};
  }
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

  // What a disk that fails does to deletions that were not synced: the rows are there again.
  void PutBack(const std::map<std::string, std::string>& rows) {
    auto batch = inner_->NewBatch();
    std::string value;
    for (const auto& [key, row] : rows) {
      if (!inner_->Get({}, key, &value).ok()) batch->Put(key, row);
    }
    EXPECT_TRUE(inner_->Write({}, batch.get()).ok());
  }
  std::map<std::string, std::string> AllRows() const {
    std::map<std::string, std::string> rows;
    auto it = NewIterator({});
    for (it->SeekToFirst(); it->Valid(); it->Next()) rows.emplace(it->key(), it->value());
    return rows;
  }
  size_t Rows() const {
    size_t n = 0;
    auto it = NewIterator({});
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++n;
    return n;
  }

 private:
  struct Batch final : storage::WriteBatch {
    Batch(std::unique_ptr<storage::WriteBatch> b, const std::function<void()>* h)
        : inner(std::move(b)), hook(h) {}
    void Put(std::string_view key, std::string_view value) override {
      if (*hook) (*hook)();
      has_meta = has_meta || key == "M";
      inner->Put(key, value);
    }
    void PutParts(std::string_view key, const std::string_view* parts, size_t count) override {
      if (*hook) (*hook)();
      inner->PutParts(key, parts, count);
    }
    void Delete(std::string_view key) override { inner->Delete(key); }
    void DeleteRange(std::string_view begin, std::string_view end) override {
      inner->DeleteRange(begin, end);
    }
    void Clear() override { inner->Clear(); }
    size_t SizeBytes() const override { return inner->SizeBytes(); }

    std::unique_ptr<storage::WriteBatch> inner;
    const std::function<void()>* hook;
    bool has_meta = false;
  };

  Status Fail() {
    if (writes_left > 0) {
      --writes_left;
      return {};
    }
    ++failures;
    return {StatusCode::kNoSpace, "the test's disk is full"};
  }

  std::unique_ptr<storage::Backend> inner_;
  bool all_synced_ = true;
};

}  // namespace kiwi::keyspace
