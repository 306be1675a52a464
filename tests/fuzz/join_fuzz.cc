// What a node that joins says and is told, what it remembers of it, and how its last run ended: any bytes
// are one of these or are refused, with the checksum right as well as wrong; what was read is written and
// read back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/crc32c.h"
#include "server/identity.h"
#include "server/join_wire.h"
#include "server/run_mark.h"

namespace {

using kiwi::server::DecodeIdentity;
using kiwi::server::DecodeInvitation;
using kiwi::server::DecodeJoinAnswer;
using kiwi::server::DecodeJoinRequest;
using kiwi::server::DecodeRunMark;

void FuzzFiles(const std::string& bytes) {
  if (const auto identity = DecodeIdentity(bytes); identity.ok()) {
    const auto again = DecodeIdentity(EncodeIdentity(*identity));
    if (!again.ok() || !(*again == *identity)) std::abort();
  }
  if (const auto mark = DecodeRunMark(bytes); mark.ok()) {
    const auto again = DecodeRunMark(EncodeRunMark(*mark));
    if (!again.ok() || !(*again == *mark)) std::abort();
  }
}

void FuzzMessages(std::string_view bytes) {
  if (const auto member = DecodeJoinRequest(bytes); member.ok()) {
    const auto again = DecodeJoinRequest(kiwi::server::EncodeJoinRequest(*member));
    if (!again.ok() || !(*again == *member)) std::abort();
  }
  if (const auto invitation = DecodeInvitation(bytes); invitation.ok()) {
    const auto again = DecodeInvitation(EncodeInvitation(*invitation));
    if (!again.ok() || !(again->as == invitation->as) || again->host != invitation->host) {
      std::abort();
    }
  }
  if (const auto answer = DecodeJoinAnswer(bytes); answer.ok()) {
    const std::string once = EncodeJoinAnswer(*answer);
    const auto again = DecodeJoinAnswer(once);
    if (!again.ok() || EncodeJoinAnswer(*again) != once) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  FuzzMessages(bytes);
  FuzzFiles(bytes);
  kiwi::PutFixed<uint32_t>(&bytes, kiwi::ExtendCrc32c(0, bytes));
  FuzzFiles(bytes);
  return 0;
}
