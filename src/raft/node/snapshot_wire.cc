#include "raft/node/snapshot_wire.h"

#include "base/coding.h"
#include "raft/core/codec.h"

namespace kiwi::raft {
namespace {

constexpr uint8_t kVersion = 1;

Status Cut(const char* what) {
  return {StatusCode::kCorruption, std::string(what) + " of a snapshot transfer does not decode"};
}

void AppendHeader(uint8_t type, const SnapshotStream& stream, std::string* out) {
  PutFixed(out, kVersion);
  PutFixed(out, type);
  PutFixed(out, stream.id);
  PutVarint(out, stream.attempt);
}

Status ReadHeader(const char* what, std::string_view* in, uint8_t* type, SnapshotStream* stream) {
  uint8_t version = 0;
  if (!GetFixed(in, &version)) return Cut(what);
  if (version != kVersion) {
    return {StatusCode::kSerialization, std::string(what) + " of a snapshot transfer has version " +
                                            std::to_string(version) + "; this release knows " +
                                            std::to_string(kVersion)};
  }
  if (!GetFixed(in, type) || !GetFixed(in, &stream->id) || !GetVarint(in, &stream->attempt)) {
    return Cut(what);
  }
  return {};
}

}  // namespace

std::string EncodeSnapshotBegin(const SnapshotStream& stream, uint64_t estimated_bytes,
                                const Message& message) {
  std::string out;
  AppendHeader(static_cast<uint8_t>(SnapshotRequestType::kBegin), stream, &out);
  PutVarint(&out, estimated_bytes);
  EncodeMessage(message, &out);
  return out;
}

std::string EncodeSnapshotChunk(const SnapshotStream& stream, uint64_t position,
                                std::string_view data) {
  std::string out;
  out.reserve(kSnapshotChunkHeaderMax + data.size());
  AppendHeader(static_cast<uint8_t>(SnapshotRequestType::kChunk), stream, &out);
  PutVarint(&out, position);
  out.append(data);
  return out;
}

Result<SnapshotRequest> DecodeSnapshotRequest(std::string_view bytes) {
  constexpr const char* kWhat = "a request";
  SnapshotRequest request;
  uint8_t type = 0;
  KIWI_RETURN_IF_ERROR(ReadHeader(kWhat, &bytes, &type, &request.stream));
  switch (static_cast<SnapshotRequestType>(type)) {
    case SnapshotRequestType::kBegin: {
      request.type = SnapshotRequestType::kBegin;
      if (!GetVarint(&bytes, &request.estimated_bytes)) return Cut(kWhat);
      KIWI_ASSIGN_OR_RETURN(request.message, DecodeMessage(bytes));
      return request;
    }
    case SnapshotRequestType::kChunk:
      request.type = SnapshotRequestType::kChunk;
      if (!GetVarint(&bytes, &request.position) || bytes.empty()) return Cut(kWhat);
      request.data = bytes;
      return request;
  }
  return Cut(kWhat);
}

std::string EncodeSnapshotAck(const SnapshotAck& ack) {
  std::string out;
  AppendHeader(static_cast<uint8_t>(ack.state), ack.stream, &out);
  PutVarint(&out, ack.position);
  PutLengthPrefixed(&out, std::string_view(ack.reason).substr(0, kSnapshotReasonMax));
  return out;
}

Result<SnapshotAck> DecodeSnapshotAck(std::string_view bytes) {
  constexpr const char* kWhat = "an answer";
  SnapshotAck ack;
  uint8_t state = 0;
  KIWI_RETURN_IF_ERROR(ReadHeader(kWhat, &bytes, &state, &ack.stream));
  std::string_view reason;
  if (state < static_cast<uint8_t>(SnapshotAckState::kAccepted) ||
      state > static_cast<uint8_t>(SnapshotAckState::kFailed) ||
      !GetVarint(&bytes, &ack.position) || !GetLengthPrefixed(&bytes, &reason) || !bytes.empty() ||
      reason.size() > kSnapshotReasonMax) {
    return Cut(kWhat);
  }
  ack.state = static_cast<SnapshotAckState>(state);
  ack.reason = reason;
  return ack;
}

}  // namespace kiwi::raft
