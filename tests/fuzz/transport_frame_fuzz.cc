// Any bytes on a connection between nodes are frames or are refused, whatever lengths they claim;
// entries come out the same however their bytes are cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "raft/core/codec.h"
#include "raft/transport/frame.h"
#include "raft/transport/message_body.h"

namespace {

using kiwi::raft::Entry;
using kiwi::raft::Frame;

constexpr size_t kBytesMax = 1 << 20;

std::vector<Entry> Read(std::string_view bytes, size_t cut, bool* ok) {
  kiwi::raft::EntriesReader reader(kBytesMax);
  *ok = false;
  while (!bytes.empty()) {
    const size_t n = std::min(cut, bytes.size());
    if (!reader.Feed(bytes.substr(0, n)).ok()) return {};
    bytes.remove_prefix(n);
  }
  auto entries = reader.Finish();
  *ok = entries.ok();
  return entries.ok() ? *std::move(entries) : std::vector<Entry>();
}

void FuzzEntries(std::string_view bytes) {
  bool whole_ok = false;
  bool cut_ok = false;
  const std::vector<Entry> whole = Read(bytes, bytes.size(), &whole_ok);
  const std::vector<Entry> cut = Read(bytes, 3, &cut_ok);
  if (whole_ok != cut_ok || whole.size() != cut.size()) std::abort();
  for (size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].bytes() != cut[i].bytes() || whole[i].index != cut[i].index) std::abort();
  }
  if (!whole_ok) return;
  // Written and read back: the same.
  kiwi::raft::EntriesBody body(whole, {4096, 1});
  std::string again;
  std::string scratch;
  for (size_t i = 0; const auto* made = body.FrameAt(i); ++i) {
    std::string frame;
    for (const auto& piece : made->pieces) frame.append(piece.bytes);
    const auto parsed = kiwi::raft::ParseFrame(frame, kiwi::raft::kFrameBytesMax);
    if (!parsed.ok() || parsed->bytes != frame.size()) std::abort();
    const auto payload = kiwi::raft::FramePayload(parsed->frame, &scratch);
    if (!payload.ok()) std::abort();
    again.append(*payload);
  }
  bool again_ok = false;
  const std::vector<Entry> back = Read(again, 1000, &again_ok);
  if (!again_ok || back.size() != whole.size()) std::abort();
  for (size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].bytes() != back[i].bytes() || whole[i].term != back[i].term) std::abort();
  }
}

void FuzzFrames(std::string_view in) {
  std::string scratch;
  for (;;) {
    const auto parsed = kiwi::raft::ParseFrame(in, kiwi::raft::kFrameBytesMax);
    if (!parsed.ok()) return;
    if (parsed->bytes == 0) {
      if (parsed->wanted <= in.size()) std::abort();
      return;
    }
    (void)kiwi::raft::FramePayload(parsed->frame, &scratch);
    in.remove_prefix(parsed->bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FuzzFrames(bytes);
  FuzzEntries(bytes);
  kiwi::raft::Hello hello;
  (void)kiwi::raft::DecodeHello(bytes, &hello);
  kiwi::raft::Welcome welcome;
  (void)kiwi::raft::DecodeWelcome(bytes, &welcome);
  // With a sound checksum: no fuzzer guesses one. The first bytes choose what stands in the header.
  if (size < 4) return 0;
  Frame frame;
  frame.type = static_cast<kiwi::raft::FrameType>(1 + data[0] % 8);
  frame.flags = data[1] & 7;
  frame.kind = data[2];
  frame.raw_bytes = data[3] * 64U;
  frame.payload = bytes.substr(4);
  std::string sound;
  AppendFrame(frame, &sound);
  FuzzFrames(sound);
  return 0;
}
