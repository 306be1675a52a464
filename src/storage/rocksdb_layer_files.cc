#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/rocksdb_files.h"

namespace kiwi::storage {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSRandomAccessFile;
using rocksdb::FSSequentialFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToRocks(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return IOStatus::OK();
    case StatusCode::kNotFound:
      return IOStatus::PathNotFound(std::string(status.message()));
    case StatusCode::kNoSpace:
      return IOStatus::NoSpace(std::string(status.message()));
    case StatusCode::kInvalidArgument:
      return IOStatus::NotSupported(std::string(status.message()));
    default:
      return IOStatus::IOError(std::string(status.message()));
  }
}

class LayerReader final : public FSRandomAccessFile, public FSSequentialFile {
 public:
  LayerReader(FileLayer* layer, FileLayer::Handle handle)
      : layer_(layer), handle_(std::move(handle)) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    const auto read = layer_->Read(handle_, offset, n, scratch);
    if (!read.ok()) return ToRocks(read.status());
    *result = Slice(scratch, *read);
    return IOStatus::OK();
  }
  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* dbg) override {
    IOStatus s = Read(position_, n, options, result, scratch, dbg);
    if (s.ok()) position_ += result->size();
    return s;
  }
  IOStatus Skip(uint64_t n) override {
    position_ += n;
    return IOStatus::OK();
  }
  bool use_direct_io() const override { return false; }
  size_t GetRequiredBufferAlignment() const override { return 1; }
  IOStatus InvalidateCache(size_t, size_t) override { return IOStatus::OK(); }
  rocksdb::Temperature GetTemperature() const override { return rocksdb::Temperature::kUnknown; }

 private:
  FileLayer* layer_;
  FileLayer::Handle handle_;
  uint64_t position_ = 0;
};

class LayerWriter final : public FSWritableFile {
 public:
  LayerWriter(FileLayer* layer, FileLayer::Handle handle)
      : layer_(layer), handle_(std::move(handle)) {}

  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return ToRocks(layer_->Append(handle_, {data.data(), data.size()}));
  }
  IOStatus Truncate(uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return ToRocks(layer_->Sync(handle_));
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    const auto size = layer_->Size(handle_);
    return size.ok() ? *size : 0;
  }

 private:
  FileLayer* layer_;
  FileLayer::Handle handle_;
};

class LayerDirectory final : public rocksdb::FSDirectory {
 public:
  LayerDirectory(FileLayer* layer, uint64_t session, std::string path)
      : layer_(layer), session_(session), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return ToRocks(layer_->SyncDirectory(session_, path_));
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  FileLayer* layer_;
  uint64_t session_;
  std::string path_;
};

class LayerFiles final : public rocksdb::FileSystemWrapper {
 public:
  explicit LayerFiles(FileLayer* layer)
      : FileSystemWrapper(rocksdb::FileSystem::Default()),
        layer_(layer),
        session_(layer->session()) {}
  const char* Name() const override { return "kiwi-file-layer"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<FSSequentialFile>* result, IODebugContext*) override {
    return OpenReader(path, result);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<FSRandomAccessFile>* result,
                               IODebugContext*) override {
    return OpenReader(path, result);
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<FSWritableFile>* result, IODebugContext*) override {
    return MakeWriter(layer_->Create(session_, path), result);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<FSWritableFile>* result, IODebugContext*) override {
    return MakeWriter(layer_->Open(session_, path), result);
  }
  IOStatus ReuseWritableFile(const std::string&, const std::string&, const FileOptions&,
                             std::unique_ptr<FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("ReuseWritableFile");
  }
  IOStatus NewRandomRWFile(const std::string&, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("NewRandomRWFile");
  }
  IOStatus NewMemoryMappedFileBuffer(const std::string&,
                                     std::unique_ptr<rocksdb::MemoryMappedFileBuffer>*) override {
    return IOStatus::NotSupported("NewMemoryMappedFileBuffer");
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    *result = std::make_unique<LayerDirectory>(layer_, session_, path);
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions& options,
                      IODebugContext* dbg) override {
    if (layer_->Exists(session_, path)) return IOStatus::OK();
    bool is_directory = false;
    if (target_->IsDirectory(path, options, &is_directory, dbg).ok() && is_directory) {
      return IOStatus::OK();
    }
    return IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    auto names = layer_->List(session_, path);
    if (!names.ok()) return ToRocks(names.status());
    *result = std::move(names).value();
    return IOStatus::OK();
  }
  IOStatus GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                     std::vector<rocksdb::FileAttributes>* result,
                                     IODebugContext* dbg) override {
    // The wrapper's would ask the real file system; the base's asks GetChildren and GetFileSize here.
    // NOLINTNEXTLINE(bugprone-parent-virtual-call)
    return FileSystem::GetChildrenFileAttributes(path, options, result, dbg);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToRocks(layer_->Remove(session_, path));
  }
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions&,
                    IODebugContext*) override {
    const auto handle = layer_->Open(session_, path);
    if (!handle.ok()) return ToRocks(handle.status());
    return ToRocks(layer_->Truncate(*handle, size));
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                       IODebugContext*) override {
    const auto handle = layer_->Open(session_, path);
    if (!handle.ok()) return ToRocks(handle.status());
    const auto found = layer_->Size(*handle);
    if (!found.ok()) return ToRocks(found.status());
    *size = *found;
    return IOStatus::OK();
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return ToRocks(layer_->Rename(session_, from, to));
  }
  IOStatus LinkFile(const std::string&, const std::string&, const IOOptions&,
                    IODebugContext*) override {
    return IOStatus::NotSupported("LinkFile");
  }
  IOStatus NumFileLinks(const std::string&, const IOOptions&, uint64_t* count,
                        IODebugContext*) override {
    *count = 1;
    return IOStatus::OK();
  }
  IOStatus AreFilesSame(const std::string& a, const std::string& b, const IOOptions&, bool* same,
                        IODebugContext*) override {
    *same = a == b;
    return IOStatus::OK();
  }

 private:
  template <typename Reader>
  IOStatus OpenReader(const std::string& path, std::unique_ptr<Reader>* result) {
    auto handle = layer_->Open(session_, path);
    if (!handle.ok()) return ToRocks(handle.status());
    *result = std::make_unique<LayerReader>(layer_, std::move(handle).value());
    return IOStatus::OK();
  }
  IOStatus MakeWriter(Result<FileLayer::Handle> handle, std::unique_ptr<FSWritableFile>* result) {
    if (!handle.ok()) return ToRocks(handle.status());
    *result = std::make_unique<LayerWriter>(layer_, std::move(handle).value());
    return IOStatus::OK();
  }

  FileLayer* layer_;
  uint64_t session_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> NewRocksLayerFiles(FileLayer* layer) {
  return std::make_shared<LayerFiles>(layer);
}

}  // namespace kiwi::storage
