// What the two ends of a snapshot transfer say to each other (docs/formats.md, "Snapshot
// transfer"). Decoders believe no length. An unknown version is kSerialization and names it, all
// else that does not decode is kCorruption.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "raft/core/message.h"

namespace kiwi::raft {

// Which attempt at which stream: the sender makes it, the receiver repeats it.
struct SnapshotStream {
  uint64_t id = 0;       // SnapshotReader::id()
  uint64_t attempt = 0;  // counts the sender's Begins, so that late answers to earlier ones show
  bool operator==(const SnapshotStream&) const = default;
};

enum class SnapshotRequestType : uint8_t { kBegin = 1, kChunk = 2 };

struct SnapshotRequest {
  SnapshotRequestType type = SnapshotRequestType::kBegin;
  SnapshotStream stream;
  // kBegin
  uint64_t estimated_bytes = 0;
  Message message;  // the core's kSnapshot, about what the stream holds
  // kChunk
  uint64_t position = 0;
  std::string_view data;  // within what was decoded
};

enum class SnapshotAckState : uint8_t {
  kAccepted = 1,   // all before `position` is written: go on
  kAgain = 2,      // what came for `position` was damaged or out of place: go on from there, anew
  kFinishing = 3,  // it has the whole, and checks and loads it
  kDone = 4,
  kRefused = 5,  // not now; a later attempt may go on with the stream
  kFailed = 6,   // never this stream
};

struct SnapshotAck {
  SnapshotAckState state = SnapshotAckState::kAccepted;
  SnapshotStream stream;
  uint64_t position = 0;
  std::string reason;  // kRefused, kFailed; for the log
};

inline constexpr size_t kSnapshotReasonMax = 512;
// A chunk's message is longer than its data by no more than this.
inline constexpr size_t kSnapshotChunkHeaderMax = 32;

std::string EncodeSnapshotBegin(const SnapshotStream& stream, uint64_t estimated_bytes,
                                const Message& message);
std::string EncodeSnapshotChunk(const SnapshotStream& stream, uint64_t position,
                                std::string_view data);
Result<SnapshotRequest> DecodeSnapshotRequest(std::string_view bytes);

std::string EncodeSnapshotAck(const SnapshotAck& ack);
Result<SnapshotAck> DecodeSnapshotAck(std::string_view bytes);

}  // namespace kiwi::raft
