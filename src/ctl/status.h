// `kiwi-ctl status`: the group in a table.
#pragma once

#include <string>

#include "ctl/client.h"

namespace kiwi::ctl {

// Of a reply of RAFT.STATUS.
std::string DescribeGroup(const Value& status);
// Any reply, a value a line, indented.
std::string Describe(const Value& value, int depth = 0);

}  // namespace kiwi::ctl
