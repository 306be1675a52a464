// The unit on a connection between nodes: a header, a checksum and at most kFrameBytesMax of
// payload (docs/formats.md, "Between nodes"). And the handshake, which travels in frames too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "raft/core/types.h"

namespace kiwi::raft {

inline constexpr size_t kFrameHeaderBytes = 16;
inline constexpr size_t kFrameBytesMax = 1 << 20;
inline constexpr uint32_t kProtocolVersion = 1;

enum class FrameType : uint8_t {
  kHello = 1,  // who opened the connection says what it wants
  kWelcome,
  kRefuse,   // the reason, as text; the connection closes behind it
  kPing,     // payload: anything
  kPong,     // the ping's payload
  kMessage,  // a Raft message without its entries; with kFrameMore they follow in kEntries
  kEntries,
  kService,
};

enum FrameFlags : uint8_t {
  kFrameMore = 1,  // the message goes on in a later frame of its lane
  kFrameLz4 = 2,   // the payload is one LZ4 block of raw_bytes
  kFrameLow = 4,   // in the lane of lower precedence
};

// Of a kRefuse: the sender's id was a member's, or could have been, and is nobody's any more.
inline constexpr uint8_t kRefusedAsRemoved = 1;

struct Frame {
  FrameType type = FrameType::kPing;
  uint8_t flags = 0;
  uint8_t kind = 0;        // kService: its kind; kRefuse: kRefusedAsRemoved or 0
  uint32_t raw_bytes = 0;  // with kFrameLz4
  std::string_view payload;
};

// The header of a frame whose payload is `bytes` long and has the CRC-32C `payload_crc` when it
// goes on from HeaderCrc.
class FrameHeader {
 public:
  FrameHeader(const Frame& frame, size_t bytes);
  // Over the payload's pieces, in order.
  void Cover(std::string_view piece);
  // The kFrameHeaderBytes to send in front of them.
  std::string_view Finish();

 private:
  char bytes_[kFrameHeaderBytes];
  uint32_t crc_;
};

void AppendFrame(const Frame& frame, std::string* out);

struct ParsedFrame {
  size_t bytes = 0;   // of the input; 0: not complete
  size_t wanted = 0;  // not complete: how much there has to be
  Frame frame;        // its payload lies in the input
};
// Of the front of `in`. kCorruption: a payload over payload_bytes_max, a wrong checksum, an unknown
// type or flag.
Result<ParsedFrame> ParseFrame(std::string_view in, size_t payload_bytes_max);

// The payload as it was before compression, in the frame itself or in *scratch.
Result<std::string_view> FramePayload(const Frame& frame, std::string* scratch);
// False when it does not get smaller by an eighth at least.
bool CompressPayload(std::string_view raw, std::string* out);

enum class StreamKind : uint8_t { kMessages = 1, kService = 2 };

struct Hello {
  uint32_t version = kProtocolVersion;
  uint64_t cluster_id = 0;  // 0: of none yet
  NodeId from = kNoNode;
  NodeId to = kNoNode;  // 0: whoever listens there
  StreamKind stream = StreamKind::kMessages;
};
struct Welcome {
  uint64_t cluster_id = 0;
  NodeId from = kNoNode;
};

inline constexpr size_t kHandshakeBytesMax = 512;

std::string EncodeHello(const Hello& hello);
// kSerialization: another version, which *hello tells; kCorruption: not a hello.
Status DecodeHello(std::string_view payload, Hello* hello);
std::string EncodeWelcome(const Welcome& welcome);
Status DecodeWelcome(std::string_view payload, Welcome* welcome);

}  // namespace kiwi::raft
