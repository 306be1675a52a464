// Any payload of RESTORE is a value or is refused: also one whose checksum is right.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "commands/dump_format.h"
#include "commands/listpack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> elements;
  (void)kiwi::commands::DecodeListpack(payload, &elements);
  (void)kiwi::commands::VerifyDump(payload);
  // Past the checksum, which a fuzzer does not guess: what stands before it may be anything.
  if (size < 10) return 0;
  kiwi::commands::DumpedValue value;
  (void)kiwi::commands::DecodeDump(payload, &value);
  return 0;
}
