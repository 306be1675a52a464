#include "raft/transport/frame.h"

#include <lz4.h>

#include <cstring>

#include "base/coding.h"
#include "base/crc32c.h"

namespace kiwi::raft {
namespace {

constexpr std::string_view kMagic = "KIWIPEER";
constexpr uint8_t kFlagsKnown = kFrameMore | kFrameLz4 | kFrameLow;
constexpr size_t kCrcOffset = 12;

template <typename T>
void StoreFixed(char* out, T v) {
  for (size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<char>(v >> (8 * i));
}

Status Corrupt(const std::string& what) { return Status(StatusCode::kCorruption, what); }

}  // namespace

FrameHeader::FrameHeader(const Frame& frame, size_t bytes) {
  StoreFixed(bytes_, static_cast<uint32_t>(bytes));
  bytes_[4] = static_cast<char>(frame.type);
  bytes_[5] = static_cast<char>(frame.flags);
  bytes_[6] = static_cast<char>(frame.kind);
  bytes_[7] = 0;
  StoreFixed(bytes_ + 8, frame.raw_bytes);
  crc_ = ExtendCrc32c(0, std::string_view(bytes_, kCrcOffset));
}

void FrameHeader::Cover(std::string_view piece) { crc_ = ExtendCrc32c(crc_, piece); }

std::string_view FrameHeader::Finish() {
  StoreFixed(bytes_ + kCrcOffset, crc_);
  return {bytes_, kFrameHeaderBytes};
}

void AppendFrame(const Frame& frame, std::string* out) {
  FrameHeader header(frame, frame.payload.size());
  header.Cover(frame.payload);
  out->append(header.Finish());
  out->append(frame.payload);
}

Result<ParsedFrame> ParseFrame(std::string_view in, size_t payload_bytes_max) {
  ParsedFrame parsed;
  if (in.size() < kFrameHeaderBytes) {
    parsed.wanted = kFrameHeaderBytes;
    return parsed;
  }
  std::string_view header = in.substr(0, kFrameHeaderBytes);
  uint32_t size = 0;
  uint32_t crc = 0;
  uint8_t type = 0;
  uint8_t reserved = 0;
  Frame& frame = parsed.frame;
  if (!GetFixed(&header, &size) || !GetFixed(&header, &type) || !GetFixed(&header, &frame.flags) ||
      !GetFixed(&header, &frame.kind) || !GetFixed(&header, &reserved) ||
      !GetFixed(&header, &frame.raw_bytes) || !GetFixed(&header, &crc)) {
    return Corrupt("a frame's header does not decode");
  }
  // Before the payload is here, so that damage in a length is not waited for.
  if (type < static_cast<uint8_t>(FrameType::kHello) ||
      type > static_cast<uint8_t>(FrameType::kService) || (frame.flags & ~kFlagsKnown) != 0 ||
      reserved != 0) {
    return Corrupt("not a frame: type " + std::to_string(type) + ", flags " +
                   std::to_string(frame.flags));
  }
  if (size > payload_bytes_max) {
    return Corrupt("a frame of " + std::to_string(size) + " bytes; at most " +
                   std::to_string(payload_bytes_max) + " are allowed here");
  }
  if (in.size() - kFrameHeaderBytes < size) {
    parsed.wanted = kFrameHeaderBytes + size;
    return parsed;
  }
  frame.type = static_cast<FrameType>(type);
  frame.payload = in.substr(kFrameHeaderBytes, size);
  if (ExtendCrc32c(ExtendCrc32c(0, in.substr(0, kCrcOffset)), frame.payload) != crc) {
    return Corrupt("a frame's checksum does not match");
  }
  parsed.bytes = kFrameHeaderBytes + size;
  return parsed;
}

Result<std::string_view> FramePayload(const Frame& frame, std::string* scratch) {
  if ((frame.flags & kFrameLz4) == 0) return frame.payload;
  if (frame.raw_bytes > kFrameBytesMax) return Corrupt("a compressed frame is too long unpacked");
  scratch->resize(frame.raw_bytes);
  const int n = LZ4_decompress_safe(frame.payload.data(), scratch->data(),
                                    static_cast<int>(frame.payload.size()),
                                    static_cast<int>(scratch->size()));
  if (n < 0 || static_cast<uint32_t>(n) != frame.raw_bytes) {
    return Corrupt("a compressed frame does not unpack");
  }
  return std::string_view(*scratch);
}

bool CompressPayload(std::string_view raw, std::string* out) {
  out->resize(raw.size() - raw.size() / 8);
  const int n = LZ4_compress_default(raw.data(), out->data(), static_cast<int>(raw.size()),
                                     static_cast<int>(out->size()));
  if (n <= 0) return false;
  out->resize(static_cast<size_t>(n));
  return true;
}

std::string EncodeHello(const Hello& hello) {
  std::string out(kMagic);
  PutFixed<uint32_t>(&out, hello.version);
  PutFixed<uint64_t>(&out, hello.cluster_id);
  PutFixed<uint64_t>(&out, hello.from);
  PutFixed<uint64_t>(&out, hello.to);
  PutFixed<uint8_t>(&out, static_cast<uint8_t>(hello.stream));
  return out;
}

Status DecodeHello(std::string_view payload, Hello* hello) {
  if (!payload.starts_with(kMagic)) return Corrupt("not a handshake of Kiwi");
  payload.remove_prefix(kMagic.size());
  if (!GetFixed(&payload, &hello->version)) return Corrupt("a handshake is cut short");
  if (hello->version != kProtocolVersion) {
    return Status(StatusCode::kSerialization, "protocol version " + std::to_string(hello->version) +
                                                  "; this node speaks version " +
                                                  std::to_string(kProtocolVersion));
  }
  uint8_t stream = 0;
  if (!GetFixed(&payload, &hello->cluster_id) || !GetFixed(&payload, &hello->from) ||
      !GetFixed(&payload, &hello->to) || !GetFixed(&payload, &stream) || !payload.empty() ||
      stream < static_cast<uint8_t>(StreamKind::kMessages) ||
      stream > static_cast<uint8_t>(StreamKind::kService) || hello->from == kNoNode) {
    return Corrupt("a handshake does not decode");
  }
  hello->stream = static_cast<StreamKind>(stream);
  return Status::Ok();
}

std::string EncodeWelcome(const Welcome& welcome) {
  std::string out(kMagic);
  PutFixed<uint64_t>(&out, welcome.cluster_id);
  PutFixed<uint64_t>(&out, welcome.from);
  return out;
}

Status DecodeWelcome(std::string_view payload, Welcome* welcome) {
  if (!payload.starts_with(kMagic)) return Corrupt("not a handshake of Kiwi");
  payload.remove_prefix(kMagic.size());
  if (!GetFixed(&payload, &welcome->cluster_id) || !GetFixed(&payload, &welcome->from) ||
      !payload.empty()) {
    return Corrupt("a handshake does not decode");
  }
  return Status::Ok();
}

}  // namespace kiwi::raft
