// The names under which COMMAND and ACL show a row's flags and categories.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "commands/command.h"

namespace kiwi::commands {

std::vector<std::string_view> FlagNames(const CommandRow& row);
std::vector<std::string_view> KeyFlagNames(uint16_t key_flags);
std::vector<std::string_view> CategoryNames(uint32_t categories);  // without the "@"
std::optional<Category> CategoryByName(std::string_view name);     // any case
std::string_view GroupName(Group group);

}  // namespace kiwi::commands
