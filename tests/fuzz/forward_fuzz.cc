// Writes that another node forwards, and the answers to ours: any bytes are taken or refused as a whole;
// what is taken reads as records in the log; and no answer leaves a write waiting that it should end.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "raft/node/entry_codec.h"
#include "raft/node/forwarding.h"

namespace {

using kiwi::raft::ForwardedProposals;
using kiwi::raft::Proposal;
using kiwi::raft::ProposalError;
using kiwi::raft::RemoteProposal;

constexpr uint64_t kIncarnation = 0x0102030405060708;

class Write final : public Proposal {
 public:
  std::string_view records() const override { return "r"; }
  kiwi::runtime::Priority priority() const override { return kiwi::runtime::Priority::kNormal; }
  bool slow() const override { return false; }
  void Failed(ProposalError) override {}
};

void FuzzMessage(std::string_view bytes) {
  size_t answered = 0;
  const auto message = std::make_shared<const std::string>(bytes);
  const auto read = RemoteProposal::Decode(7, message, [&](auto, auto) { ++answered; });
  if (!read.ok()) {
    // Whatever the refusal says can be read where it goes.
    ForwardedProposals nobody(kIncarnation);
    (void)nobody.TakeRefused(RemoteProposal::RefusalOf(bytes));
    return;
  }
  for (RemoteProposal* proposal : *read) {
    kiwi::raft::RecordReader reader;
    std::string entry(proposal->origin_record());
    entry.append(proposal->records());
    std::string_view in = entry;
    if (!reader.Next(&in) || reader.kind() != kiwi::raft::RecordKind::kOrigin ||
        reader.origin().node != 7 || reader.origin().length != in.size()) {
      std::abort();
    }
    while (reader.Next(&in)) {
    }
    if (!reader.status().ok()) std::abort();
    proposal->Failed(ProposalError::kNotLeader);
  }
  if (answered != read->size()) std::abort();
}

void FuzzAnswer(std::string_view bytes) {
  ForwardedProposals ours(kIncarnation);
  Write writes[3];
  const std::vector<kiwi::raft::Proposal*> all = {&writes[0], &writes[1], &writes[2]};
  ours.Add(ours.Reserve(all.size()), all);
  const size_t refused = ours.TakeRefused(bytes).size();
  if (refused + ours.TakeAll().size() != 3) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FuzzMessage(bytes);
  FuzzAnswer(bytes);
  return 0;
}
