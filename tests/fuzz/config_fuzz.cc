// Any text is a configuration or an error that says why; and whatever a rewrite is asked to write into
// a configuration is read back from it.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/ini_file.h"
#include "config/option_table.h"
#include "config/rewrite.h"

namespace {

using kiwi::config::Config;
using kiwi::config::kOptionCount;
using kiwi::config::kOptions;
using kiwi::config::Value;

std::vector<Value> ValuesOf(std::string_view text) {
  const auto defaults = kiwi::config::DefaultValues();
  std::vector<Value> values(defaults.begin(), defaults.end());
  const auto entries = kiwi::config::ParseIni(text);
  if (!entries.ok()) std::abort();
  for (const auto& entry : *entries) {
    const auto option = kiwi::config::FindOption(entry.section, entry.key);
    if (!option) std::abort();
    auto value = kiwi::config::ParseValueText(kOptions[*option], entry.value, /*verbatim=*/false,
                                              values[*option]);
    if (!value.ok()) std::abort();
    values[*option] = *value;
  }
  return values;
}

void ExpectReadBack(std::string_view text, std::span<const Value> wanted) {
  const auto rewritten = kiwi::config::RewriteText(text, wanted);
  if (!rewritten.ok()) return;  // a value that fits on no line
  const std::vector<Value> read = ValuesOf(*rewritten);
  for (size_t i = 0; i < kOptionCount; ++i) {
    if (read[i].text != wanted[i].text) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = Config::Parse(text, "fuzz.conf", {});
  if (!config.ok()) {
    if (config.status().message().empty()) std::abort();
    return 0;
  }
  const std::vector<Value> values = ValuesOf(text);
  const auto same = kiwi::config::RewriteText(text, values);
  if (!same.ok() || *same != text) std::abort();
  ExpectReadBack(text, kiwi::config::DefaultValues());
  ExpectReadBack("", values);
  return 0;
}
