// `kiwi-ctl status`: the group in a table.
#pragma once

#include <string>

#include "ctl/client.h"

namespace kiwi::ctl {

// Of a reply of RAFT.STATUS.
std::string DescribeGroup(const Value& status);
// Any reply, a value a line, indented; of a map, or a list of maps, a name and its value a line.
std::string Describe(const Value& value, bool maps);

}  // namespace kiwi::ctl
