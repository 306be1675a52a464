// Any bytes as a chunk of a snapshot, and as the contents of one that passes its checks, are taken or
// refused; what was taken whole loads or is refused.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "keyspace/checkpoint.h"
#include "keyspace/keyspace.h"
#include "keyspace/snapshot_format.h"
#include "keyspace/snapshot_sink.h"
#include "storage/factory.h"

using kiwi::keyspace::SnapshotSink;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto backend = kiwi::storage::OpenBackend({.name = "memory"}).value();
  {
    SnapshotSink sink(backend.get());
    if (sink.Write(bytes).ok() && sink.position() != size) std::abort();
  }
  // Cut in two, at a place that the bytes themselves name.
  SnapshotSink sink(backend.get());
  const size_t cut = size == 0 ? 0 : data[0] % size;
  const std::string first = kiwi::keyspace::EncodeChunk({.stream = 1}, bytes.substr(0, cut));
  if (!sink.Write(first).ok()) return 0;
  const std::string second = kiwi::keyspace::EncodeChunk(
      {.stream = 1, .position = first.size(), .last = true}, bytes.substr(cut));
  if (!sink.Write(second).ok() || !sink.Finish().ok()) return 0;
  kiwi::keyspace::Keyspace keyspace({.databases = 2});
  kiwi::keyspace::Checkpointer checkpointer(&keyspace, backend.get());
  (void)checkpointer.Load(1);
  return 0;
}
