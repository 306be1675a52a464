#include <filesystem>
#include <utility>
#include <vector>

#include "storage/leveldb_env.h"

namespace kiwi::storage {
namespace {

using leveldb::Slice;

class LayerReader final : public leveldb::RandomAccessFile, public leveldb::SequentialFile {
 public:
  LayerReader(FileLayer* layer, FileLayer::Handle handle)
      : layer_(layer), handle_(std::move(handle)) {}

  leveldb::Status Read(uint64_t offset, size_t n, Slice* result, char* scratch) const override {
    const auto read = layer_->Read(handle_, offset, n, scratch);
    if (!read.ok()) return ToLevel(read.status());
    *result = Slice(scratch, *read);
    return leveldb::Status::OK();
  }
  leveldb::Status Read(size_t n, Slice* result, char* scratch) override {
    const leveldb::Status s = Read(position_, n, result, scratch);
    if (s.ok()) position_ += result->size();
    return s;
  }
  leveldb::Status Skip(uint64_t n) override {
    position_ += n;
    return leveldb::Status::OK();
  }

 private:
  FileLayer* layer_;
  FileLayer::Handle handle_;
  uint64_t position_ = 0;
};

class LayerWriter final : public leveldb::WritableFile {
 public:
  LayerWriter(FileLayer* layer, FileLayer::Handle handle)
      : layer_(layer), handle_(std::move(handle)) {}

  leveldb::Status Append(const Slice& data) override {
    return ToLevel(layer_->Append(handle_, {data.data(), data.size()}));
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override {
    // As LevelDB's own: files that the MANIFEST names must be there before it names them.
    const std::filesystem::path path(handle_.path);
    if (path.filename().string().starts_with("MANIFEST")) {
      const Status status = layer_->SyncDirectory(handle_.session, path.parent_path().string());
      if (!status.ok()) return ToLevel(status);
    }
    return ToLevel(layer_->Sync(handle_));
  }

 private:
  FileLayer* layer_;
  FileLayer::Handle handle_;
};

class LayerEnv final : public leveldb::EnvWrapper {
 public:
  explicit LayerEnv(FileLayer* layer)
      : EnvWrapper(leveldb::Env::Default()), layer_(layer), session_(layer->session()) {}

  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** result) override {
    return OpenReader(path, result);
  }
  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** result) override {
    return OpenReader(path, result);
  }
  leveldb::Status NewWritableFile(const std::string& path,
                                  leveldb::WritableFile** result) override {
    return MakeWriter(layer_->Create(session_, path), result);
  }
  leveldb::Status NewAppendableFile(const std::string& path,
                                    leveldb::WritableFile** result) override {
    return MakeWriter(layer_->Open(session_, path), result);
  }
  bool FileExists(const std::string& path) override { return layer_->Exists(session_, path); }
  leveldb::Status GetChildren(const std::string& path, std::vector<std::string>* result) override {
    auto names = layer_->List(session_, path);
    if (!names.ok()) return ToLevel(names.status());
    *result = std::move(names).value();
    return leveldb::Status::OK();
  }
  leveldb::Status RemoveFile(const std::string& path) override {
    return ToLevel(layer_->Remove(session_, path));
  }
  leveldb::Status GetFileSize(const std::string& path, uint64_t* size) override {
    const auto handle = layer_->Open(session_, path);
    if (!handle.ok()) return ToLevel(handle.status());
    const auto found = layer_->Size(*handle);
    if (!found.ok()) return ToLevel(found.status());
    *size = *found;
    return leveldb::Status::OK();
  }
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override {
    return ToLevel(layer_->Rename(session_, from, to));
  }

 private:
  template <typename Reader>
  leveldb::Status OpenReader(const std::string& path, Reader** result) {
    auto handle = layer_->Open(session_, path);
    if (!handle.ok()) return ToLevel(handle.status());
    *result = std::make_unique<LayerReader>(layer_, std::move(handle).value()).release();
    return leveldb::Status::OK();
  }
  leveldb::Status MakeWriter(Result<FileLayer::Handle> handle, leveldb::WritableFile** result) {
    if (!handle.ok()) return ToLevel(handle.status());
    *result = std::make_unique<LayerWriter>(layer_, std::move(handle).value()).release();
    return leveldb::Status::OK();
  }

  FileLayer* layer_;
  uint64_t session_;
};

}  // namespace

std::unique_ptr<leveldb::Env> NewLevelLayerEnv(FileLayer* layer) {
  return std::make_unique<LayerEnv>(layer);
}

}  // namespace kiwi::storage
