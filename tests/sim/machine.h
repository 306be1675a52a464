// The state machine that the simulated nodes replicate: a few registers, and a digest of all that
// was ever applied.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "base/hash.h"
#include "raft/core/types.h"

namespace kiwi::sim {

inline constexpr size_t kKeys = 3;

struct Machine {
  raft::LogIndex applied = 0;
  uint64_t digest = 0;
  std::array<uint64_t, kKeys> values{};

  void Apply(const raft::Entry& entry) {
    applied = entry.index;
    digest = Hash64(entry.bytes(), digest ^ entry.index ^ (entry.term << 32));
    const std::string_view bytes = entry.bytes();
    if (entry.type != raft::EntryType::kNormal || bytes.size() < 2 * sizeof(uint64_t)) return;
    uint64_t key = 0;
    uint64_t value = 0;
    std::memcpy(&key, bytes.data(), sizeof(key));
    std::memcpy(&value, bytes.data() + sizeof(key), sizeof(value));
    values[key % kKeys] = value;
  }

  static raft::Payload Write(uint64_t key, uint64_t value, size_t padding) {
    std::string bytes(2 * sizeof(uint64_t) + padding, '.');
    std::memcpy(bytes.data(), &key, sizeof(key));
    std::memcpy(bytes.data() + sizeof(key), &value, sizeof(value));
    return std::make_shared<const std::string>(std::move(bytes));
  }
};

using MachinePtr = std::shared_ptr<const Machine>;

}  // namespace kiwi::sim
