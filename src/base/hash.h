// Hashes and checksums (XXH3 of libxxhash), and Redis Cluster's slot of a key.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi {

inline constexpr int kSlotCount = 16384;

// 64-bit XXH3; stable across machines and releases, so it may be stored.
uint64_t Hash64(std::string_view bytes, uint64_t seed);

// The checksum of stored and sent records.
inline uint64_t Checksum64(std::string_view bytes) { return Hash64(bytes, 0); }

// CRC16 (XMODEM) of the key, or of the part between the first '{' and the next '}' when that is
// not empty, modulo 16384. https://redis.io/docs/reference/cluster-spec/#hash-tags
uint16_t KeySlot(std::string_view key);

}  // namespace kiwi
