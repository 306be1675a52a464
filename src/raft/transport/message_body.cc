#include "raft/transport/message_body.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"

namespace kiwi::raft {
namespace {

// From here on a payload is worth a piece of its own instead of a copy.
constexpr size_t kSliceBytes = 16 << 10;
constexpr size_t kSlots = 4;
constexpr size_t kKeptBytesMax = 1 << 20;
// After a frame that compression did not make smaller, so many are sent as they are.
constexpr int kSkipIncompressible = 15;
// term, index, type, length.
constexpr size_t kHeadBytesMax = 3 * kMaxVarint64Bytes + 1;
// An entry costs memory even when it is empty.
constexpr size_t kEntryOverhead = 64;
// So much of an announced payload is reserved at once; beyond it, memory follows what has come.
constexpr size_t kFreeRoom = 1 << 20;
constexpr size_t kRoomPerByteHeld = 8;

Status Corrupt() {
  return Status(StatusCode::kCorruption, "the entries of an append do not decode");
}

}  // namespace

EntriesBody::EntriesBody(const std::vector<Entry>& entries, const BodyOptions& options)
    : options_(options), first_(entries.front()), last_(entries.back()), count_(entries.size()) {
  std::string pending;
  for (const Entry& e : entries) {
    const std::string_view data = e.bytes();
    PutVarint(&pending, e.term);
    PutVarint(&pending, e.index);
    pending.push_back(static_cast<char>(e.type));
    PutVarint(&pending, data.size());
    if (data.size() < kSliceBytes) {
      pending.append(data);
      continue;
    }
    Own(std::exchange(pending, {}));
    raw_bytes_ += data.size();
    rest_.push_back({e.data, data});
  }
  Own(std::move(pending));
}

void EntriesBody::Own(std::string bytes) {
  if (bytes.empty()) return;
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  raw_bytes_ += owner->size();
  rest_.push_back({owner, *owner});
}

bool EntriesBody::Holds(const std::vector<Entry>& entries) const {
  const auto same = [](const Entry& a, const Entry& b) {
    return a.index == b.index && a.term == b.term && a.type == b.type && a.data == b.data;
  };
  return entries.size() == count_ && same(entries.front(), first_) && same(entries.back(), last_);
}

const EntriesBody::FramePieces* EntriesBody::FrameAt(size_t i) {
  if (i == frames_.size()) {
    if (rest_.empty()) return nullptr;
    frames_.push_back(MakeFrame());
  }
  return i < frames_.size() ? &frames_[i] : nullptr;
}

// The next frame's payload; its first place is left for the header.
EntriesBody::FramePieces EntriesBody::Cut() {
  FramePieces cut;
  cut.pieces.resize(1);
  while (!rest_.empty() && cut.raw_bytes < options_.frame_bytes) {
    SharedBytes& front = rest_.front();
    const size_t n = std::min(front.bytes.size(), options_.frame_bytes - cut.raw_bytes);
    cut.pieces.push_back({front.owner, front.bytes.substr(0, n)});
    front.bytes.remove_prefix(n);
    cut.raw_bytes += n;
    if (front.bytes.empty()) rest_.pop_front();
  }
  return cut;
}

EntriesBody::FramePieces EntriesBody::MakeFrame() {
  FramePieces made = Cut();
  std::vector<SharedBytes>& pieces = made.pieces;
  size_t bytes = made.raw_bytes;
  Frame frame;
  frame.type = FrameType::kEntries;
  frame.flags = static_cast<uint8_t>(kFrameLow | (rest_.empty() ? 0 : kFrameMore));
  const bool large = options_.compress_min_bytes > 0 && raw_bytes_ >= options_.compress_min_bytes;
  if (large && incompressible_ == 0) {
    std::string joined;
    if (pieces.size() > 2) {
      for (const SharedBytes& piece : pieces) joined.append(piece.bytes);
    }
    std::string packed;
    if (CompressPayload(pieces.size() > 2 ? std::string_view(joined) : pieces[1].bytes, &packed)) {
      frame.flags |= kFrameLz4;
      frame.raw_bytes = static_cast<uint32_t>(bytes);
      packed.shrink_to_fit();
      auto owner = std::make_shared<const std::string>(std::move(packed));
      bytes = owner->size();
      pieces.resize(1);
      pieces.push_back({owner, *owner});
    } else {
      incompressible_ = kSkipIncompressible;
    }
  } else if (large) {
    --incompressible_;
  }
  FrameHeader header(frame, bytes);
  for (const SharedBytes& piece : pieces) header.Cover(piece.bytes);
  auto owner = std::make_shared<const std::string>(header.Finish());
  pieces[0] = {owner, *owner};
  return made;
}

std::shared_ptr<EntriesBody> BodyCache::Get(const std::vector<Entry>& entries) {
  for (const Slot& slot : slots_) {
    if (auto body = slot.body.lock(); body != nullptr && body->Holds(entries)) return body;
  }
  auto body = std::make_shared<EntriesBody>(entries, options_);
  if (slots_.size() < kSlots) slots_.emplace_back();
  Slot& slot = slots_[next_++ % slots_.size()];
  slot.body = body;
  slot.kept = body->raw_bytes() <= kKeptBytesMax ? body : nullptr;
  return body;
}

Status EntriesReader::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!in_payload_) KIWI_RETURN_IF_ERROR(TakeHead(&bytes));
    if (in_payload_) TakePayload(&bytes);
  }
  return Status::Ok();
}

Status EntriesReader::TakeHead(std::string_view* bytes) {
  // What an earlier frame left, and as much as a head can take.
  const size_t held = head_.size();
  head_.append(bytes->substr(0, kHeadBytesMax));
  std::string_view in = held > 0 ? std::string_view(head_) : *bytes;
  const size_t before = in.size();
  uint64_t length = 0;
  uint8_t type = 0;
  if (!GetVarint(&in, &entry_.term) || !GetVarint(&in, &entry_.index) || !GetFixed(&in, &type) ||
      !GetVarint(&in, &length)) {
    if (head_.size() >= kHeadBytesMax) return Corrupt();
    *bytes = {};  // the rest comes with the next frame
    return Status::Ok();
  }
  if (type > static_cast<uint8_t>(EntryType::kConfChange)) return Corrupt();
  bytes_ += kEntryOverhead;
  if (length > bytes_max_ || bytes_ + length > bytes_max_) {
    return Status(StatusCode::kCorruption,
                  "an append is longer than the allowed " + std::to_string(bytes_max_) + " bytes");
  }
  bytes_ += length;
  bytes->remove_prefix(before - in.size() - held);
  head_.clear();
  entry_.type = static_cast<EntryType>(type);
  missing_ = length;
  in_payload_ = true;
  if (length == 0) EndEntry();
  return Status::Ok();
}

void AppendPiece(std::string_view piece, size_t whole, std::string* out) {
  const size_t needed = out->size() + piece.size();
  if (out->capacity() < needed) {
    size_t room = std::max({kFreeRoom, kRoomPerByteHeld * out->size(), needed});
    if (room >= whole / 2) room = std::max(whole, needed);  // or the last step would copy it all
    out->reserve(room);
  }
  out->append(piece);
}

void EntriesReader::TakePayload(std::string_view* bytes) {
  const size_t n = std::min(missing_, bytes->size());
  AppendPiece(bytes->substr(0, n), payload_.size() + missing_, &payload_);
  bytes->remove_prefix(n);
  missing_ -= n;
  if (missing_ == 0) EndEntry();
}

void EntriesReader::EndEntry() {
  if (!payload_.empty()) {
    entry_.data = std::make_shared<const std::string>(std::exchange(payload_, {}));
  }
  entries_.push_back(std::exchange(entry_, {}));
  in_payload_ = false;
}

Result<std::vector<Entry>> EntriesReader::Finish() {
  if (in_payload_ || !head_.empty() || entries_.empty()) return Corrupt();
  bytes_ = 0;
  return std::exchange(entries_, {});
}

}  // namespace kiwi::raft
