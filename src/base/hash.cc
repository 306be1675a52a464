#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>

namespace kiwi {
namespace {

constexpr uint16_t kPolynomial = 0x1021;

// Four tables, so that four bytes are folded in one step: key slots are on the path of every
// command.
constexpr auto kTables = [] {
  std::array<std::array<uint16_t, 256>, 4> t{};
  for (unsigned i = 0; i < 256; ++i) {
    auto crc = static_cast<uint16_t>(i << 8);
    for (int bit = 0; bit < 8; ++bit) {
      crc = static_cast<uint16_t>((crc & 0x8000) ? (crc << 1) ^ kPolynomial : crc << 1);
    }
    t[0][i] = crc;
  }
  for (size_t k = 1; k < 4; ++k) {
    for (unsigned i = 0; i < 256; ++i) {
      t[k][i] = static_cast<uint16_t>((t[k - 1][i] << 8) ^ t[0][t[k - 1][i] >> 8]);
    }
  }
  return t;
}();

uint16_t Crc16(std::string_view s) {
  unsigned crc = 0;
  const auto* p = reinterpret_cast<const unsigned char*>(s.data());
  size_t n = s.size();
  for (; n >= 4; n -= 4, p += 4) {
    crc = kTables[3][(crc >> 8) ^ p[0]] ^ kTables[2][(crc & 0xff) ^ p[1]] ^ kTables[1][p[2]] ^
          kTables[0][p[3]];
  }
  for (; n > 0; --n, ++p) crc = ((crc << 8) & 0xffff) ^ kTables[0][(crc >> 8) ^ *p];
  return static_cast<uint16_t>(crc);
}

}  // namespace

uint64_t Hash64(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint16_t KeySlot(std::string_view key) {
  if (const size_t open = key.find('{'); open != std::string_view::npos) {
    const size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  return Crc16(key) & (kSlotCount - 1);
}

}  // namespace kiwi
