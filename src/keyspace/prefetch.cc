#include "keyspace/prefetch.h"

#include "keyspace/impl.h"

namespace kiwi::keyspace {

void Prefetch::Add(int db, std::string_view key) {
  const uint16_t slot = KeySlot(key);
  const DbShard* shard = keyspace_.impl().FindShard(db, ShardOf(slot));
  if (shard == nullptr) return;
  const SlotTable* table = &shard->table(slot);
  __builtin_prefetch(table);
  keys_[count_++] = {.table = table, .leaf = nullptr, .hash = shard->Hash(key)};
}

void Prefetch::Run() {
  for (size_t i = 0; i < count_; ++i) keys_[i].table->PrefetchLeafPointer(keys_[i].hash);
  for (size_t i = 0; i < count_; ++i) {
    keys_[i].leaf = keys_[i].table->LeafFor(keys_[i].hash);
    if (keys_[i].leaf != nullptr) keys_[i].leaf->Prefetch();
  }
  for (size_t i = 0; i < count_; ++i) {
    if (keys_[i].leaf != nullptr) keys_[i].leaf->PrefetchObject(keys_[i].hash);
  }
  count_ = 0;
}

}  // namespace kiwi::keyspace
