#include "base/crc64.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace kiwi {
namespace {

constexpr uint64_t kReflectedPolynomial = 0x95ac9329ac4bc9b5ULL;  // of 0xad93d23594c935a9

using Table = std::array<std::array<uint64_t, 256>, 8>;

// kTables[k][b]: the contribution of byte b that k more bytes follow.
constexpr Table MakeTables() {
  Table tables{};
  for (size_t b = 0; b < 256; ++b) {
    uint64_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? kReflectedPolynomial : 0);
    tables[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t b = 0; b < 256; ++b) {
      const uint64_t crc = tables[k - 1][b];
      tables[k][b] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr Table kTables = MakeTables();

}  // namespace

uint64_t Crc64Jones(std::string_view bytes) {
  uint64_t crc = 0;
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    crc ^= word;
    uint64_t next = 0;
    for (size_t k = 0; k < 8; ++k) next ^= kTables[7 - k][(crc >> (8 * k)) & 0xff];
    crc = next;
    bytes.remove_prefix(8);
  }
  for (const char c : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(c)) & 0xff];
  }
  return crc;
}

}  // namespace kiwi
