// CONFIG REWRITE: a configuration file brought up to date with the least change to its text.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "config/value.h"

namespace kiwi::config {

// `values` by index into kOptions. A line whose value still holds stays as it is, whatever its
// spelling; others get the value; what the text does not have and is not the default is added at
// the end of its section. kConfig: the text is not a configuration file, or a value fits on no
// line.
Result<std::string> RewriteText(std::string_view text, std::span<const Value> values);

// Replaces the file's content: a crash leaves the old or the new one, and at return the new one is
// durable. Keeps the file's mode.
Status ReplaceFile(const std::string& path, std::string_view content);

}  // namespace kiwi::config
