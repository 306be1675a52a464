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

#include "base/function_ref.h"
#include "keyspace/object.h"
#include "keyspace/types/hash_value.h"

namespace kiwi::commands {

struct DumpedValue {
  keyspace::Type type = keyspace::Type::kString;
  std::string string;
  std::vector<std::pair<std::string, std::string>>
      fields;  // of a hash: at least one, all different
};

std::string EncodeStringDump(std::string_view bytes);
// Of a hash of `size` fields; for_each(visit) calls visit with each of them.
using VisitField = FunctionRef<void(keyspace::HashField)>;
std::string EncodeHashDump(size_t size, FunctionRef<void(VisitField)> for_each);

// Whether the payload ends in a version that we read and in its checksum.
bool VerifyDump(std::string_view payload);
// Decodes a verified payload, which may still be anything. False: not a value.
bool DecodeDump(std::string_view payload, DumpedValue* value);

}  // namespace kiwi::commands
