// How messages and entries look on the wire and in the log (docs/formats.md). Every record begins
// with its version and ends with a checksum; decoders believe no length and no count, and an
// unknown version is refused by name. Membership records are declared in message.h.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "raft/core/message.h"

namespace kiwi::raft {

// Appends one message to *out.
void EncodeMessage(const Message& message, std::string* out);
// `bytes` is exactly one message. kSerialization: a version newer than this program's;
// kCorruption: anything else that is wrong. Payloads are copied.
Result<Message> DecodeMessage(std::string_view bytes);

// Appends one entry to *out; self-delimiting.
void EncodeEntry(const Entry& entry, std::string* out);
// Takes one entry off the front of *bytes, which stays where it was after an error.
Result<Entry> DecodeEntry(std::string_view* bytes);

}  // namespace kiwi::raft
