// The text of a configuration file as entries, by inih: sections, `key = value`, comments from ; or
// # at the start of a line and from " ;" behind a value, and indented lines that go on with the
// value above them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace kiwi::config {

// inih cuts longer lines without a word, so they are refused here.
inline constexpr size_t kMaxLineBytes = 196;
inline constexpr size_t kMaxFileBytes = 1 << 20;

struct IniEntry {
  int line = 0;       // counted from 1
  int last_line = 0;  // of its continuation lines
  std::string section;
  std::string key;
  std::string value;  // lines joined by a blank, comments and outer blanks gone
};

// kConfig names the line: "12: …".
Result<std::vector<IniEntry>> ParseIni(std::string_view text);

// The whole file. kConfig or kIo; at most kMaxFileBytes.
Result<std::string> ReadConfigFile(const std::string& path);

}  // namespace kiwi::config
