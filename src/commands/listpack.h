// Reads Redis's listpack: a block of strings and integers, as RDB files and DUMP payloads hold
// small collections. https://github.com/antirez/listpack
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiwi::commands {

// Integers become their digits. False: the block is damaged or cut short.
bool DecodeListpack(std::string_view block, std::vector<std::string>* elements);

}  // namespace kiwi::commands
