#include "storage/memory_backend.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "storage/bounded_iterator.h"

namespace kiwi::storage {
namespace {

using Value = std::shared_ptr<const std::string>;  // null: deleted
using Sequence = uint64_t;

struct Version {
  Sequence sequence;
  Value value;
};
// Ascending by sequence; more than one only while a snapshot or an iterator needs the older ones.
using Versions = std::vector<Version>;

struct Op {
  enum class Kind : char { kPut, kDelete, kDeleteRange };
  Kind kind;
  std::string key;  // or the range's begin
  std::string end;
  Value value;
};

class MemoryBatch final : public WriteBatch {
 public:
  void Put(std::string_view key, std::string_view value) override {
    Add({Op::Kind::kPut, std::string(key), {}, std::make_shared<const std::string>(value)},
        value.size());
  }
  void PutParts(std::string_view key, const std::string_view* parts, size_t count) override {
    std::string value;
    for (size_t i = 0; i < count; ++i) value.append(parts[i]);
    const size_t bytes = value.size();
    Add({Op::Kind::kPut,
         std::string(key),
         {},
         std::make_shared<const std::string>(std::move(value))},
        bytes);
  }
  void Delete(std::string_view key) override {
    Add({Op::Kind::kDelete, std::string(key), {}, nullptr}, 0);
  }
  void DeleteRange(std::string_view begin, std::string_view end) override {
    Add({Op::Kind::kDeleteRange, std::string(begin), std::string(end), nullptr}, 0);
  }
  void Clear() override {
    ops_.clear();
    bytes_ = 0;
  }
  size_t SizeBytes() const override { return bytes_; }

  const std::vector<Op>& ops() const { return ops_; }

 private:
  void Add(Op op, size_t value_bytes) {
    bytes_ += op.key.size() + op.end.size() + value_bytes;
    ops_.push_back(std::move(op));
  }

  std::vector<Op> ops_;
  size_t bytes_ = 0;
};

// The map, shared by the backend with its snapshots and iterators.
class Store {
 public:
  void Apply(const std::vector<Op>& ops) KIWI_EXCLUDES(mu_) {
    WriterLock lock(mu_);
    ++last_;
    for (const Op& op : ops) {
      if (op.kind == Op::Kind::kDeleteRange) {
        auto it = map_.lower_bound(op.key);
        while (it != map_.end() && it->first < op.end) it = Set(it, nullptr);
      } else if (op.kind == Op::Kind::kPut) {
        Set(map_.try_emplace(op.key).first, op.value);
      } else if (auto it = map_.find(op.key); it != map_.end()) {
        Set(it, nullptr);
      }
    }
  }

  Sequence Pin() KIWI_EXCLUDES(mu_) {
    WriterLock lock(mu_);
    pins_.insert(last_);
    return last_;
  }

  void Unpin(Sequence sequence) KIWI_EXCLUDES(mu_) {
    WriterLock lock(mu_);
    pins_.erase(pins_.find(sequence));
    if (pins_.empty()) {
      for (const std::string& key : stale_) {
        if (auto it = map_.find(key); it != map_.end()) Prune(it);
      }
      stale_.clear();
    }
  }

  Value Get(std::string_view key, std::optional<Sequence> at) const KIWI_EXCLUDES(mu_) {
    ReaderLock lock(mu_);
    const auto it = map_.find(key);
    return it == map_.end() ? nullptr : Visible(it->second, at.value_or(last_));
  }

  struct Found {
    std::string key;
    Value value;
  };
  // The first key at or after (or, if `after`, behind) target that is visible at the sequence.
  std::optional<Found> Ceiling(std::string_view target, bool after, Sequence at) const
      KIWI_EXCLUDES(mu_) {
    std::optional<Found> found;
    ReaderLock lock(mu_);
    auto it = after ? map_.upper_bound(target) : map_.lower_bound(target);
    for (; it != map_.end() && !found; ++it) {
      if (Value value = Visible(it->second, at)) found = Found{it->first, std::move(value)};
    }
    return found;
  }
  // The last visible key before target; before the end if there is none.
  std::optional<Found> Before(std::optional<std::string_view> target, Sequence at) const
      KIWI_EXCLUDES(mu_) {
    std::optional<Found> found;
    ReaderLock lock(mu_);
    auto it = target ? map_.lower_bound(*target) : map_.end();
    while (it != map_.begin() && !found) {
      --it;
      if (Value value = Visible(it->second, at)) found = Found{it->first, std::move(value)};
    }
    return found;
  }

  uint64_t Bytes() const KIWI_EXCLUDES(mu_) {
    ReaderLock lock(mu_);
    return bytes_;
  }

 private:
  using Map = std::map<std::string, Versions, std::less<>>;

  static Value Visible(const Versions& versions, Sequence at) {
    for (auto v = versions.rbegin(); v != versions.rend(); ++v) {
      if (v->sequence <= at) return v->value;
    }
    return nullptr;
  }

  // Returns the iterator behind `it`, which may be gone.
  Map::iterator Set(Map::iterator it, Value value) KIWI_REQUIRES(mu_) {
    Versions& versions = it->second;
    if (versions.empty()) bytes_ += it->first.size();
    bytes_ += value ? value->size() : 0;
    if (!versions.empty() && versions.back().sequence == last_) {
      bytes_ -= versions.back().value ? versions.back().value->size() : 0;
      versions.back().value = std::move(value);
    } else {
      versions.push_back({last_, std::move(value)});
    }
    if (pins_.empty()) return Prune(it);
    stale_.push_back(it->first);
    return std::next(it);
  }

  // Leaves the newest version only, or nothing of a deleted key.
  Map::iterator Prune(Map::iterator it) KIWI_REQUIRES(mu_) {
    Versions& versions = it->second;
    for (size_t i = 0; i + 1 < versions.size(); ++i) {
      bytes_ -= versions[i].value ? versions[i].value->size() : 0;
    }
    versions.erase(versions.begin(), versions.end() - 1);
    if (versions.back().value) return std::next(it);
    bytes_ -= it->first.size();
    return map_.erase(it);
  }

  mutable SharedMutex mu_;
  Map map_ KIWI_GUARDED_BY(mu_);
  Sequence last_ KIWI_GUARDED_BY(mu_) = 0;
  std::multiset<Sequence> pins_ KIWI_GUARDED_BY(mu_);
  std::vector<std::string> stale_ KIWI_GUARDED_BY(mu_);  // keys changed while something was pinned
  uint64_t bytes_ KIWI_GUARDED_BY(mu_) = 0;
};

class MemorySnapshot final : public Snapshot {
 public:
  explicit MemorySnapshot(std::shared_ptr<Store> store)
      : store_(std::move(store)), sequence_(store_->Pin()) {}
  ~MemorySnapshot() override { store_->Unpin(sequence_); }
  MemorySnapshot(const MemorySnapshot&) = delete;
  MemorySnapshot& operator=(const MemorySnapshot&) = delete;
  Sequence sequence() const { return sequence_; }

 private:
  std::shared_ptr<Store> store_;
  Sequence sequence_;
};

std::optional<Sequence> At(const ReadOptions& options) {
  if (options.snapshot == nullptr) return std::nullopt;
  return static_cast<const MemorySnapshot*>(options.snapshot)->sequence();
}

// The unbounded cursor that BoundedIterator wraps.
class MemoryCursor {
 public:
  MemoryCursor(std::shared_ptr<Store> store, std::optional<Sequence> at)
      : store_(std::move(store)),
        pin_(std::make_unique<MemorySnapshot>(store_)),
        at_(at.value_or(pin_->sequence())) {}

  bool Valid() const { return found_.has_value(); }
  void SeekToFirst() { found_ = store_->Ceiling("", false, at_); }
  void SeekToLast() { found_ = store_->Before(std::nullopt, at_); }
  void Seek(std::string_view target) { found_ = store_->Ceiling(target, false, at_); }
  void Next() { found_ = store_->Ceiling(found_->key, true, at_); }
  void Prev() { found_ = store_->Before(found_->key, at_); }
  std::string_view key() const { return found_->key; }
  std::string_view value() const { return *found_->value; }
  Status status() const { return {}; }

 private:
  std::shared_ptr<Store> store_;
  std::unique_ptr<MemorySnapshot> pin_;
  Sequence at_;
  std::optional<Store::Found> found_;
};

class MemoryBackend final : public Backend {
 public:
  std::unique_ptr<WriteBatch> NewBatch() const override { return std::make_unique<MemoryBatch>(); }
  Status Write(const WriteOptions&, WriteBatch* batch) override {
    store_->Apply(static_cast<MemoryBatch*>(batch)->ops());
    return {};
  }
  Status Sync() override { return {}; }
  Status Flush() override { return {}; }
  Status Get(const ReadOptions& options, std::string_view key, std::string* value) const override {
    const Value found = store_->Get(key, At(options));
    if (!found) return {StatusCode::kNotFound, "no such key"};
    *value = *found;
    return {};
  }
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& options) const override {
    return std::make_unique<BoundedIterator<MemoryCursor>>(MemoryCursor(store_, At(options)),
                                                           options.lower, options.upper);
  }
  std::unique_ptr<const Snapshot> GetSnapshot() const override {
    return std::make_unique<MemorySnapshot>(store_);
  }
  Stats GetStats() const override {
    Stats stats;
    stats.memory_bytes = store_->Bytes();
    return stats;
  }
  Status Resume() override { return {}; }
  std::string_view Name() const override { return "memory"; }

 private:
  std::shared_ptr<Store> store_ = std::make_shared<Store>();
};

}  // namespace

Result<std::unique_ptr<Backend>> OpenMemory(const BackendOptions&) {
  return std::unique_ptr<Backend>(std::make_unique<MemoryBackend>());
}

}  // namespace kiwi::storage
