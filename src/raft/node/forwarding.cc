#include "raft/node/forwarding.h"

#include <memory>
#include <utility>

#include "base/coding.h"

namespace kiwi::raft {
namespace {

// message = format u8 · incarnation fixed64 · (sequence varint · flags u8 · records prefixed)*
// answer  = format u8 · incarnation fixed64 · (sequence varint · error u8)*
//   sequence 0: all that is under way, unknown; incarnation 0: it could not be read
// flags: bits 0-1 the priority, bit 2 slow.
constexpr uint8_t kFormat = 1;
constexpr uint8_t kPriorityMask = 3;
constexpr uint8_t kSlow = 4;
constexpr size_t kHeadBytes = 9;
constexpr size_t kProposalHeadBytesMax = 2 * kMaxVarint64Bytes + 1;

void AppendHead(uint64_t incarnation, std::string* out) {
  out->push_back(static_cast<char>(kFormat));
  PutFixed(out, incarnation);
}

bool ReadHead(std::string_view* in, uint64_t* incarnation) {
  if (in->empty() || static_cast<uint8_t>(in->front()) != kFormat) return false;
  in->remove_prefix(1);
  return GetFixed(in, incarnation);
}

bool ReadByte(std::string_view* in, uint8_t* byte) {
  if (in->empty()) return false;
  *byte = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  return true;
}

}  // namespace

uint64_t ForwardedProposals::Reserve(size_t count) {
  MutexLock lock(mu_);
  return std::exchange(next_sequence_, next_sequence_ + count);
}

std::string ForwardedProposals::Encode(uint64_t first_sequence,
                                       const std::vector<Proposal*>& proposals) const {
  size_t bytes = kHeadBytes;
  for (const Proposal* proposal : proposals)
    bytes += kProposalHeadBytesMax + proposal->records().size();
  std::string message;
  message.reserve(bytes);
  AppendHead(incarnation_, &message);
  for (const Proposal* proposal : proposals) {
    PutVarint(&message, first_sequence++);
    const auto priority = static_cast<uint8_t>(proposal->priority());
    message.push_back(static_cast<char>(priority | (proposal->slow() ? kSlow : 0)));
    PutLengthPrefixed(&message, proposal->records());
  }
  return message;
}

void ForwardedProposals::Add(uint64_t first_sequence, const std::vector<Proposal*>& proposals) {
  MutexLock lock(mu_);
  for (Proposal* proposal : proposals) {
    under_way_.emplace(first_sequence++, proposal);
    bytes_ += proposal->records().size();
  }
}

void ForwardedProposals::Undo(uint64_t first_sequence, size_t count) {
  MutexLock lock(mu_);
  for (uint64_t sequence = first_sequence; sequence < first_sequence + count; ++sequence) {
    TakeLocked(sequence);
  }
}

Proposal* ForwardedProposals::TakeLocked(uint64_t sequence) {
  const auto it = under_way_.find(sequence);
  if (it == under_way_.end()) return nullptr;
  Proposal* proposal = it->second;
  under_way_.erase(it);
  bytes_ -= proposal->records().size();
  return proposal;
}

Proposal* ForwardedProposals::Take(uint64_t incarnation, uint64_t sequence) {
  if (incarnation != incarnation_) return nullptr;
  MutexLock lock(mu_);
  return TakeLocked(sequence);
}

std::vector<Proposal*> ForwardedProposals::TakeAll() {
  MutexLock lock(mu_);
  std::vector<Proposal*> all;
  all.reserve(under_way_.size());
  for (const auto& [sequence, proposal] : under_way_) all.push_back(proposal);
  under_way_.clear();
  bytes_ = 0;
  return all;
}

std::vector<ForwardedProposals::Refused> ForwardedProposals::TakeRefused(std::string_view answer) {
  std::vector<Refused> refused;
  uint64_t incarnation = 0;
  const bool head = ReadHead(&answer, &incarnation);
  if (head && incarnation != incarnation_ && incarnation != 0) return refused;
  bool all = !head;
  while (!all && !answer.empty()) {
    uint64_t sequence = 0;
    uint8_t error = 0;
    all = !GetVarint(&answer, &sequence) || !ReadByte(&answer, &error) || sequence == 0 ||
          error > static_cast<uint8_t>(ProposalError::kUnreadable);
    if (all) break;
    if (Proposal* proposal = Take(incarnation, sequence); proposal != nullptr) {
      refused.push_back({proposal, static_cast<ProposalError>(error)});
    }
  }
  if (all) {
    for (Proposal* proposal : TakeAll()) refused.push_back({proposal, ProposalError::kUnknown});
  }
  return refused;
}

size_t ForwardedProposals::bytes() const {
  MutexLock lock(mu_);
  return bytes_;
}

Result<std::vector<RemoteProposal*>> RemoteProposal::Decode(
    NodeId from, const std::shared_ptr<const std::string>& shared, const Answer& answer) {
  const Status damaged(StatusCode::kCorruption, "forwarded proposals that mean nothing");
  std::string_view message = *shared;
  uint64_t incarnation = 0;
  if (!ReadHead(&message, &incarnation)) return damaged;
  std::vector<std::unique_ptr<RemoteProposal>> read;
  while (!message.empty()) {
    std::unique_ptr<RemoteProposal> proposal(new RemoteProposal);
    std::string_view records;
    uint8_t flags = 0;
    Origin& origin = proposal->origin_;
    if (!GetVarint(&message, &origin.sequence) || !ReadByte(&message, &flags) ||
        !GetLengthPrefixed(&message, &records)) {
      return damaged;
    }
    // They go into the log: what does not read there must not get there.
    RecordReader reader;
    std::string_view in = records;
    while (reader.Next(&in)) {
      if (reader.kind() == RecordKind::kOrigin) return damaged;
    }
    if (!reader.status().ok()) return damaged;
    origin.node = from;
    origin.incarnation = incarnation;
    origin.length = records.size();
    AppendOrigin(origin, &proposal->origin_record_);
    proposal->message_ = shared;
    proposal->records_ = records;
    proposal->priority_ = static_cast<runtime::Priority>(flags & kPriorityMask);
    proposal->slow_ = (flags & kSlow) != 0;
    proposal->answer_ = answer;
    read.push_back(std::move(proposal));
  }
  std::vector<RemoteProposal*> proposals;
  proposals.reserve(read.size());
  for (auto& proposal : read) proposals.push_back(proposal.release());
  return proposals;
}

std::string RemoteProposal::RefusalOf(std::string_view message) {
  std::string answer;
  uint64_t incarnation = 0;
  bool readable = ReadHead(&message, &incarnation);
  AppendHead(readable ? incarnation : 0, &answer);
  while (readable && !message.empty()) {
    uint64_t sequence = 0;
    uint8_t flags = 0;
    std::string_view records;
    readable = GetVarint(&message, &sequence) && sequence != 0 && ReadByte(&message, &flags) &&
               GetLengthPrefixed(&message, &records);
    if (!readable) break;
    PutVarint(&answer, sequence);
    answer.push_back(static_cast<char>(ProposalError::kUnreadable));
  }
  if (!readable) {
    PutVarint(&answer, 0);
    answer.push_back(static_cast<char>(ProposalError::kUnknown));
  }
  return answer;
}

void RemoteProposal::Replayed() { const std::unique_ptr<RemoteProposal> self(this); }

void RemoteProposal::Failed(ProposalError error) {
  const std::unique_ptr<RemoteProposal> self(this);
  std::string bytes;
  AppendHead(origin_.incarnation, &bytes);
  PutVarint(&bytes, origin_.sequence);
  bytes.push_back(static_cast<char>(error));
  answer_(origin_.node, std::move(bytes));
}

}  // namespace kiwi::raft
