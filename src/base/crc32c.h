// CRC-32C (Castagnoli), the checksum in the log files of RocksDB and LevelDB. Kiwi's own records
// use Checksum64 (base/hash.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi {

// Of the bytes that `crc` is the checksum of, followed by `bytes`; 0 begins.
uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes);

}  // namespace kiwi
