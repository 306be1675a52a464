// CRC-64 with Jones's polynomial, reflected, no inversion: what Redis puts behind DUMP payloads.
// Kiwi's own records use Checksum64 (base/hash.h), which is faster.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi {

uint64_t Crc64Jones(std::string_view bytes);

}  // namespace kiwi
