#include <memory>
#include <string>
#include <utility>

#include "storage/rocksdb_files.h"
#include "storage/wal_order.h"

namespace kiwi::storage {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::FileOptions;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class OrderedWal final : public rocksdb::FSWritableFileOwnerWrapper, public WalOrder::File {
 public:
  OrderedWal(std::unique_ptr<FSWritableFile> target, std::shared_ptr<WalOrder> order)
      : FSWritableFileOwnerWrapper(std::move(target)), order_(std::move(order)) {
    order_->Add(this);
  }
  ~OrderedWal() override { order_->Remove(this); }

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    Appended();
    return target()->Append(data, options, dbg);
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const DataVerificationInfo& info,
                  IODebugContext* dbg) override {
    Appended();
    return target()->Append(data, options, info, dbg);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    const uint64_t covered = appends();
    IOStatus s = target()->Sync(options, dbg);
    if (s.ok()) Synced(covered);
    return s;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    const uint64_t covered = appends();
    IOStatus s = target()->Fsync(options, dbg);
    if (s.ok()) Synced(covered);
    return s;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* dbg) override {
    order_->Remove(this);
    return target()->Close(options, dbg);
  }
  Status SyncForSuccessor() override {
    const IOStatus s = Sync(IOOptions(), nullptr);
    if (s.ok()) return {};
    return {s.IsNoSpace() ? StatusCode::kNoSpace : StatusCode::kIo, s.ToString()};
  }

 private:
  std::shared_ptr<WalOrder> order_;
};

class OrderedWals final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "kiwi-ordered-wals"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result, IODebugContext* dbg) override {
    if (!IsWalPath(path)) return target_->NewWritableFile(path, options, result, dbg);
    if (Status status = order_->SyncOpen(); !status.ok()) {
      const std::string text = status.ToString();
      return status.code() == StatusCode::kNoSpace ? IOStatus::NoSpace(text)
                                                   : IOStatus::IOError(text);
    }
    std::unique_ptr<FSWritableFile> file;
    IOStatus s = target_->NewWritableFile(path, options, &file, dbg);
    if (s.ok()) *result = std::make_unique<OrderedWal>(std::move(file), order_);
    return s;
  }

 private:
  // Shared with the files, which RocksDB may close late.
  std::shared_ptr<WalOrder> order_ = std::make_shared<WalOrder>();
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> NewRocksOrderedWals(
    std::shared_ptr<rocksdb::FileSystem> target) {  // NOLINT(performance-unnecessary-value-param)
  return std::make_shared<OrderedWals>(std::move(target));
}

}  // namespace kiwi::storage
