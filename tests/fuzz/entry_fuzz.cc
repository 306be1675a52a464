// Any bytes are a log entry's records or damage that is named; what is read writes back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "raft/node/entry_codec.h"

namespace {

using kiwi::raft::CommandRecord;
using kiwi::raft::RecordKind;
using kiwi::raft::RecordReader;

// Reads what `reader` holds, encodes it anew, and reads that: it must be the same.
void RoundTrip(const RecordReader& reader) {
  std::string bytes;
  const auto& transaction = reader.transaction();
  if (reader.kind() == RecordKind::kCommand) {
    kiwi::raft::AppendCommand(reader.command().db, reader.command().args, &bytes);
  } else if (reader.kind() == RecordKind::kOrigin) {
    kiwi::raft::AppendOrigin(reader.origin(), &bytes);
    bytes.append(reader.origin().length, 'r');  // its records, which follow
  } else {
    kiwi::raft::AppendTransactionHeader(transaction.watch_index, transaction.watches,
                                        transaction.command_count, &bytes);
    for (size_t i = 0; i < transaction.command_count; ++i) {
      kiwi::raft::AppendCommandBody(transaction.commands[i].db, transaction.commands[i].args,
                                    &bytes);
    }
  }
  std::string_view in = bytes;
  RecordReader again;
  if (!again.Next(&in) || again.kind() != reader.kind()) std::abort();
  if (reader.kind() == RecordKind::kOrigin) {
    const auto& origin = reader.origin();
    const auto& read = again.origin();
    if (read.node != origin.node || read.incarnation != origin.incarnation ||
        read.sequence != origin.sequence || in.size() != origin.length) {
      std::abort();
    }
    return;
  }
  if (!in.empty()) std::abort();
  const auto same = [](const CommandRecord& a, const CommandRecord& b) {
    return a.db == b.db && a.args == b.args;
  };
  if (reader.kind() == RecordKind::kCommand) {
    if (!same(again.command(), reader.command())) std::abort();
    return;
  }
  if (again.transaction().command_count != transaction.command_count) std::abort();
  for (size_t i = 0; i < transaction.command_count; ++i) {
    if (!same(again.transaction().commands[i], transaction.commands[i])) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view in(reinterpret_cast<const char*>(data), size);
  kiwi::raft::Envelope envelope;
  if (!kiwi::raft::ReadEnvelope(&in, &envelope).ok()) {
    in = {reinterpret_cast<const char*>(data), size};  // the records alone, then
  }
  RecordReader reader;
  while (reader.Next(&in)) {
    // What a forged length would make of this test is a large allocation, not a finding.
    if (reader.kind() == RecordKind::kOrigin && reader.origin().length > size) std::abort();
    RoundTrip(reader);
  }
  if (reader.status().ok() && !in.empty()) std::abort();
  return 0;
}
