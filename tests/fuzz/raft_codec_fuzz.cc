// Any bytes between nodes are a message (an entry, a membership) or are refused, with the checksum
// right as well as wrong; and what was read is written and read back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/hash.h"
#include "raft/core/codec.h"
#include "raft/core/message.h"

namespace {

using kiwi::Checksum64;
using kiwi::PutFixed;

template <typename T>
std::string Encode(const T& value, void (*encode)(const T&, std::string*)) {
  std::string out;
  encode(value, &out);
  return out;
}

void FuzzMessage(std::string_view bytes) {
  const auto message = kiwi::raft::DecodeMessage(bytes);
  if (!message.ok()) return;
  const std::string once = Encode(*message, kiwi::raft::EncodeMessage);
  const auto again = kiwi::raft::DecodeMessage(once);
  if (!again.ok() || Encode(*again, kiwi::raft::EncodeMessage) != once) std::abort();
}

void FuzzEntry(std::string_view bytes) {
  std::string_view in = bytes;
  const auto entry = kiwi::raft::DecodeEntry(&in);
  if (!entry.ok()) {
    if (in.size() != bytes.size()) std::abort();
    return;
  }
  const std::string once = Encode(*entry, kiwi::raft::EncodeEntry);
  in = once;
  const auto again = kiwi::raft::DecodeEntry(&in);
  if (!again.ok() || !in.empty()) std::abort();
  if (Encode(*again, kiwi::raft::EncodeEntry) != once) std::abort();
}

void FuzzMembership(std::string_view bytes) {
  if (const auto change = kiwi::raft::DecodeConfChange(bytes); change.ok()) {
    const auto again = kiwi::raft::DecodeConfChange(kiwi::raft::EncodeConfChange(*change));
    if (!again.ok() || !(*again == *change)) std::abort();
  }
  std::string_view in = bytes;
  if (const auto state = kiwi::raft::DecodeConfState(&in); state.ok()) {
    const std::string once = Encode(*state, kiwi::raft::EncodeConfState);
    in = once;
    const auto again = kiwi::raft::DecodeConfState(&in);
    if (!again.ok() || !(*again == *state)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FuzzMessage(bytes);
  FuzzEntry(bytes);
  FuzzMembership(bytes);
  // The same as a peer with a sound checksum would send it: no fuzzer guesses one.
  std::string sound(bytes);
  PutFixed<uint64_t>(&sound, Checksum64(bytes));
  FuzzMessage(sound);
  sound.assign(bytes);
  PutFixed<uint32_t>(&sound, static_cast<uint32_t>(Checksum64(bytes)));
  FuzzEntry(sound);
  FuzzMembership(sound);
  return 0;
}
