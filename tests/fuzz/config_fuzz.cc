// Any text is a configuration file or an error that names a line; every name gets an answer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/ini_file.h"
#include "config/option_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entries = kiwi::config::ParseIni(text);
  if (!entries.ok()) {
    if (entries.status().message().empty()) std::abort();
    return 0;
  }
  for (const kiwi::config::IniEntry& entry : *entries) {
    if (entry.line < 1 || entry.last_line < entry.line) std::abort();
    if (!kiwi::config::FindOption(entry.section, entry.key)) {
      (void)kiwi::config::NearestOption(entry.section, entry.key);
      (void)kiwi::config::NearestSection(entry.section);
    }
  }
  return 0;
}
