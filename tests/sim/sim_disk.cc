#include "sim/sim_disk.h"

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"
#include "raft/core/codec.h"

namespace kiwi::sim {
namespace {

using raft::Entry;
using raft::LogIndex;
using raft::SnapshotMeta;
using raft::Term;

constexpr uint8_t kHasHardState = 1;
constexpr uint8_t kHasConfState = 2;
constexpr uint8_t kHasSnapshot = 4;
constexpr uint8_t kHasCheckpoint = 8;

void PutMeta(const SnapshotMeta& meta, std::string* out) {
  PutVarint(out, meta.index);
  PutVarint(out, meta.term);
  raft::EncodeConfState(meta.conf_state, out);
}

bool GetMeta(std::string_view* in, SnapshotMeta* meta) {
  if (!GetVarint(in, &meta->index) || !GetVarint(in, &meta->term)) return false;
  auto conf = raft::DecodeConfState(in);
  if (!conf.ok()) return false;
  meta->conf_state = *conf;
  return true;
}

std::string EncodeBatch(const DiskBatch& b) {
  std::string out;
  out.push_back(
      static_cast<char>((b.hard_state ? kHasHardState : 0) | (b.conf_state ? kHasConfState : 0) |
                        (b.snapshot ? kHasSnapshot : 0) | (b.checkpoint ? kHasCheckpoint : 0)));
  if (b.hard_state) {
    for (uint64_t v : {b.hard_state->term, b.hard_state->vote, b.hard_state->commit}) {
      PutVarint(&out, v);
    }
  }
  if (b.conf_state) raft::EncodeConfState(*b.conf_state, &out);
  if (b.snapshot) {
    PutMeta(*b.snapshot, &out);
    PutFixed(&out, b.snapshot_state->applied);
    PutFixed(&out, b.snapshot_state->digest);
    for (uint64_t v : b.snapshot_state->values) PutFixed(&out, v);
  }
  if (b.checkpoint) PutMeta(*b.checkpoint, &out);
  PutVarint(&out, b.compact_to);
  PutVarint(&out, b.entries.size());
  for (const Entry& e : b.entries) raft::EncodeEntry(e, &out);
  return out;
}

bool DecodeBatch(std::string_view in, DiskBatch* b) {
  uint8_t flags = 0;
  if (!GetFixed(&in, &flags)) return false;
  if (flags & kHasHardState) {
    b->hard_state.emplace();
    if (!GetVarint(&in, &b->hard_state->term) || !GetVarint(&in, &b->hard_state->vote) ||
        !GetVarint(&in, &b->hard_state->commit)) {
      return false;
    }
  }
  if (flags & kHasConfState) {
    auto conf = raft::DecodeConfState(&in);
    if (!conf.ok()) return false;
    b->conf_state = *conf;
  }
  if (flags & kHasSnapshot) {
    Machine state;
    if (!GetMeta(&in, &b->snapshot.emplace()) || !GetFixed(&in, &state.applied) ||
        !GetFixed(&in, &state.digest)) {
      return false;
    }
    for (uint64_t& v : state.values) {
      if (!GetFixed(&in, &v)) return false;
    }
    b->snapshot_state = std::make_shared<const Machine>(state);
  }
  if ((flags & kHasCheckpoint) && !GetMeta(&in, &b->checkpoint.emplace())) return false;
  uint64_t count = 0;
  if (!GetVarint(&in, &b->compact_to) || !GetVarint(&in, &count)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    auto entry = raft::DecodeEntry(&in);
    if (!entry.ok()) return false;
    b->entries.push_back(std::move(*entry));
  }
  return in.empty();
}

// Takes one record off the front; false when it is cut short or damaged.
bool GetRecord(std::string_view* in, std::string_view* payload) {
  std::string_view rest = *in;
  uint64_t checksum = 0;
  if (!GetLengthPrefixed(&rest, payload) || !GetFixed(&rest, &checksum) ||
      checksum != Checksum64(*payload)) {
    return false;
  }
  *in = rest;
  return true;
}

}  // namespace

void SimLog::Apply(const DiskBatch& batch) {
  if (batch.snapshot && batch.snapshot->index > snapshot_.index) {
    snapshot_ = *batch.snapshot;
    state_.conf_state = snapshot_.conf_state;
    entries_.clear();
    first_ = snapshot_.index + 1;
    before_first_ = snapshot_.term;
  }
  if (!batch.entries.empty()) {
    const LogIndex from = batch.entries.front().index;
    KIWI_CHECK(from >= first_ && from <= LastIndex() + 1, "a batch leaves a gap in the log");
    entries_.resize(from - first_);
    entries_.insert(entries_.end(), batch.entries.begin(), batch.entries.end());
  }
  if (batch.hard_state) state_.hard_state = *batch.hard_state;
  if (batch.conf_state) state_.conf_state = *batch.conf_state;
  if (batch.checkpoint && batch.checkpoint->index > snapshot_.index) snapshot_ = *batch.checkpoint;
  if (batch.compact_to >= first_) {
    const LogIndex to = std::min({batch.compact_to, snapshot_.index, LastIndex()});
    if (to < first_) return;
    before_first_ = entries_[to - first_].term;
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(to + 1 - first_));
    first_ = to + 1;
  }
}

Result<std::vector<Entry>> SimLog::Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const {
  if (lo < first_) return Status(StatusCode::kCompacted, "compacted");
  if (hi > LastIndex() + 1) return Status(StatusCode::kUnavailable, "behind the last entry");
  if (slow_ && lo < hi && lo != fetched_) {
    if (wanted_ == 0) wanted_ = lo;
    return Status(StatusCode::kBusy, "to be fetched");
  }
  std::vector<Entry> out;
  uint64_t bytes = 0;
  for (; lo < hi; ++lo) {
    const Entry& e = entries_[lo - first_];
    bytes += e.bytes().size();
    if (!out.empty() && bytes > max_bytes) break;
    out.push_back(e);
  }
  return out;
}

Result<Term> SimLog::TermAt(LogIndex index) const {
  if (index + 1 == first_) return before_first_;
  if (index < first_) return Status(StatusCode::kCompacted, "compacted");
  if (index > LastIndex()) return Status(StatusCode::kUnavailable, "behind the last entry");
  return entries_[index - first_].term;
}

Result<SnapshotMeta> SimLog::GetSnapshot() const {
  if (snapshot_busy_) {
    return Status(StatusCode::kSnapshotTemporarilyUnavailable, "being made");
  }
  return snapshot_;
}

size_t SimDisk::Write(const DiskBatch& batch) {
  const std::string payload = EncodeBatch(batch);
  PutLengthPrefixed(&bytes_, payload);
  PutFixed<uint64_t>(&bytes_, Checksum64(payload));
  return bytes_.size();
}

SimDisk::Loss SimDisk::Crash(Random* random) {
  const size_t unsynced = bytes_.size() - synced_;
  if (unsynced == 0) return Loss::kNone;
  // The ends are as likely as all that lies between.
  size_t kept = random->Below(unsynced + 1);
  if (random->OneIn(4)) kept = 0;
  if (random->OneIn(4)) kept = unsynced;
  bytes_.resize(synced_ + kept);
  Loss loss = kept == unsynced ? Loss::kNone : Loss::kTail;
  if (kept > 0 && random->OneIn(4)) {
    char& byte = bytes_[synced_ + random->Below(kept)];
    byte = static_cast<char>(byte ^ (1 << random->Below(8)));
    loss = Loss::kTorn;
  }
  // What remains of the last record does not decode: a torn write.
  std::string_view rest = std::string_view(bytes_).substr(synced_);
  std::string_view payload;
  while (GetRecord(&rest, &payload)) {
  }
  if (!rest.empty()) {
    loss = Loss::kTorn;
    bytes_.resize(bytes_.size() - rest.size());
  }
  synced_ = bytes_.size();
  return loss;
}

bool SimDisk::LoseEnd(Random* random) {
  SimLog log;
  std::vector<size_t> ends;  // where the disk could end
  std::string_view rest = bytes_;
  std::string_view payload;
  raft::HardState hard;
  while (GetRecord(&rest, &payload)) {
    DiskBatch batch;
    if (!DecodeBatch(payload, &batch)) return false;
    log.Apply(batch);
    const raft::HardState now = log.hard_state();
    const bool change = std::any_of(batch.entries.begin(), batch.entries.end(), [](const Entry& e) {
      return e.type == raft::EntryType::kConfChange;
    });
    if (now.term != hard.term || now.vote != hard.vote || batch.snapshot || change) {
      ends.clear();
    }
    hard = now;
    // What a checkpoint holds was durable before it.
    if (log.LastIndex() >= checkpoint_->applied) ends.push_back(bytes_.size() - rest.size());
  }
  if (ends.size() < 2) return false;
  bytes_.resize(ends[random->OneIn(2) ? 0 : random->Below(ends.size() - 1)]);
  synced_ = bytes_.size();
  return true;
}

bool SimDisk::FlipDurableBit(Random* random) {
  // Records up to the last one that is synced are candidates; that one could pass for torn.
  std::string_view rest = std::string_view(bytes_).substr(0, synced_);
  std::string_view payload;
  size_t end = 0;
  for (size_t at = 0; GetRecord(&rest, &payload); at = synced_ - rest.size()) end = at;
  if (end == 0) return false;
  char& byte = bytes_[random->Below(end)];
  byte = static_cast<char>(byte ^ (1 << random->Below(8)));
  return true;
}

Status SimDisk::Recover(SimLog* log, MachinePtr* state) {
  *state = checkpoint_;
  std::string_view rest = bytes_;
  std::string_view payload;
  while (GetRecord(&rest, &payload)) {
    DiskBatch batch;
    if (!DecodeBatch(payload, &batch)) return {StatusCode::kCorruption, "a record does not decode"};
    log->Apply(batch);
    if (batch.snapshot && batch.snapshot_state->applied > (*state)->applied) {
      *state = batch.snapshot_state;
    }
  }
  if (!rest.empty()) return {StatusCode::kCorruption, "a record's checksum is wrong"};
  return Status::Ok();
}

}  // namespace kiwi::sim
