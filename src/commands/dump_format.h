// The payload of DUMP and RESTORE: a value in the layout of Redis's RDB files, version 10, with a
// version and a checksum behind it, so that values travel between Redis and Kiwi.
//
// Written: strings (type 0) and hashes as field-value pairs (4). Read besides: hashes as listpacks
// (16), and strings packed as integers or by LZF.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keyspace/object.h"

namespace kiwi::commands {

struct DumpedValue {
  keyspace::Type type = keyspace::Type::kString;
  std::string string;
  std::vector<std::pair<std::string, std::string>>
      fields;  // of a hash: at least one, all different
};

std::string EncodeDump(const keyspace::Object& object);

// Whether the payload ends in a version that we read and in its checksum.
bool VerifyDump(std::string_view payload);
// Decodes a verified payload, which may still be anything. False: not a value.
bool DecodeDump(std::string_view payload, DumpedValue* value);

}  // namespace kiwi::commands
