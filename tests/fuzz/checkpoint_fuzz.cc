// Any row of a checkpoint decodes or is refused, with the checksum right as well as wrong; every value
// that a page is said to hold can be walked.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "keyspace/meta.h"
#include "keyspace/page.h"
#include "keyspace/rows.h"
#include "keyspace/types/packed_hash.h"

namespace {

using kiwi::keyspace::DecodeMeta;
using kiwi::keyspace::DecodePage;
using kiwi::keyspace::EncodeMeta;
using kiwi::keyspace::Encoding;
using kiwi::keyspace::HashField;
using kiwi::keyspace::PackedHash;
using kiwi::keyspace::PageEntry;
using kiwi::keyspace::PageHead;
using kiwi::keyspace::RowKey;
using kiwi::keyspace::StoredMeta;

void FuzzPage(std::string_view page) {
  PageHead head;
  uint64_t visited = 0;
  const auto visit = [&](const PageEntry& entry) {
    ++visited;
    if (entry.shape.encoding == Encoding::kPacked) {
      size_t bytes = 0;
      PackedHash(entry.value).ForEach([&](HashField pair) {
        bytes += pair.field.size() + pair.value.size();
        return true;
      });
      if (bytes > page.size()) std::abort();
    }
    return kiwi::Status();
  };
  const kiwi::Status status = DecodePage(page, &head, visit);
  if (status.ok() && visited != head.count) std::abort();
}

void FuzzMeta(std::string_view row) {
  StoredMeta meta;
  if (!DecodeMeta(row, &meta).ok()) return;
  const std::string once = EncodeMeta(meta);
  StoredMeta again;
  if (!DecodeMeta(once, &again).ok() || EncodeMeta(again) != once) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FuzzPage(bytes);
  FuzzMeta(bytes);
  FuzzMeta(kiwi::keyspace::FrameRow(kiwi::keyspace::kMetaKey, 1, bytes));
  RowKey key;
  if (RowKey::Decode(bytes, &key)) {
    if (key.Encode() != bytes) std::abort();
    (void)key.ToString();
  }
  return 0;
}
