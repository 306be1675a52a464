// What is said about a snapshot between nodes: any bytes decode or are refused; what was read is written
// and read back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "raft/node/snapshot_wire.h"

namespace {

using namespace kiwi::raft;  // NOLINT: the whole program is about it

void FuzzRequest(std::string_view bytes) {
  const auto request = DecodeSnapshotRequest(bytes);
  if (!request.ok()) return;
  const bool begin = request->type == SnapshotRequestType::kBegin;
  const std::string once =
      begin ? EncodeSnapshotBegin(request->stream, request->estimated_bytes, request->message)
            : EncodeSnapshotChunk(request->stream, request->position, request->data);
  const auto again = DecodeSnapshotRequest(once);
  if (!again.ok() || again->type != request->type || again->stream != request->stream ||
      again->position != request->position || again->data != request->data) {
    std::abort();
  }
}

void FuzzAck(std::string_view bytes) {
  const auto ack = DecodeSnapshotAck(bytes);
  if (!ack.ok()) return;
  const auto again = DecodeSnapshotAck(EncodeSnapshotAck(*ack));
  if (!again.ok() || again->stream != ack->stream || again->position != ack->position ||
      again->reason != ack->reason) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FuzzRequest(bytes);
  FuzzAck(bytes);
  return 0;
}
