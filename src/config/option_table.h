// All options, section after section, and how a name finds its row. A name is either Redis's own
// ("port") or Kiwi's; Kiwi's are shown with their section ("raft.fsync"). Both may be written
// either way wherever no other option has the same bare name: "fsync" and "network.port" work too,
// while "port" is Redis's and the metrics endpoint's is "metrics.port".
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "config/option.h"
#include "config/options_compat.h"
#include "config/options_data.h"
#include "config/options_runtime.h"
#include "config/options_server.h"

namespace kiwi::config {

inline constexpr size_t kOptionCount =
    std::size(kNetworkOptions) + std::size(kRuntimeOptions) + std::size(kScalingOptions) +
    std::size(kPriorityOptions) + std::size(kBreakerOptions) + std::size(kRaftOptions) +
    std::size(kStorageOptions) + std::size(kMetricsOptions) + std::size(kFaultOptions) +
    std::size(kLogOptions) + std::size(kCompatOptions);

constexpr std::array<OptionRow, kOptionCount> JoinSections() {
  std::array<OptionRow, kOptionCount> all = {};
  size_t next = 0;
  const auto add = [&](std::string_view section, const auto& rows) {
    for (const OptionRow& row : rows) {
      all[next] = row;
      all[next++].section = section;
    }
  };
  add("network", kNetworkOptions);
  add("runtime", kRuntimeOptions);
  add("runtime.scaling", kScalingOptions);
  add("runtime.priority", kPriorityOptions);
  add("runtime.breaker", kBreakerOptions);
  add("raft", kRaftOptions);
  add("storage", kStorageOptions);
  add("metrics", kMetricsOptions);
  add("fault", kFaultOptions);
  add("log", kLogOptions);
  add("compat", kCompatOptions);
  return all;
}
inline constexpr std::array<OptionRow, kOptionCount> kOptions = JoinSections();

// "section.name" without building it.
constexpr bool IsQualifiedName(const OptionRow& row, std::string_view text) {
  return text.size() == row.section.size() + 1 + row.name.size() &&
         text.substr(0, row.section.size()) == row.section && text[row.section.size()] == '.' &&
         text.substr(row.section.size() + 1) == row.name;
}

// The option that is shown under this name, in lower case; kOptionCount if there is none.
constexpr size_t IndexOf(std::string_view name) {
  for (size_t i = 0; i < kOptionCount; ++i) {
    if (kOptions[i].Has(kOwn) ? IsQualifiedName(kOptions[i], name) : kOptions[i].name == name) {
      return i;
    }
  }
  return kOptionCount;
}

constexpr bool NamesAreDistinct() {
  for (size_t i = 0; i < kOptionCount; ++i) {
    for (size_t j = i + 1; j < kOptionCount; ++j) {
      const OptionRow& a = kOptions[i];
      const OptionRow& b = kOptions[j];
      if (a.name == b.name && (a.section == b.section || (!a.Has(kOwn) && !b.Has(kOwn)))) {
        return false;
      }
      if (!a.alias.empty() && (a.alias == b.name || a.alias == b.alias)) return false;
    }
  }
  return true;
}

// A string as a template argument, so that a name is looked up, and its type checked, at compile
// time.
template <size_t kSize>
struct FixedString {
  constexpr FixedString(const char (&text)[kSize]) {  // NOLINT(google-explicit-constructor)
    std::copy_n(text, kSize, chars);
  }
  constexpr std::string_view view() const { return {chars, kSize - 1}; }
  char chars[kSize] = {};
};

// As CONFIG GET and INFO show it: "port", "raft.fsync".
std::string DisplayName(const OptionRow& row);

// By any spelling of its name or alias, in any case.
std::optional<size_t> FindOption(std::string_view name);
// By section and bare name (or alias), as in the file.
std::optional<size_t> FindOption(std::string_view section, std::string_view name);
bool IsSection(std::string_view section);

// The known name, or section, that looks most like this one; empty if none is near.
std::string NearestOption(std::string_view name);
std::string NearestOption(std::string_view section, std::string_view name);
std::string NearestSection(std::string_view section);

// What a value may be: "an integer from 0 to 65535".
std::string DescribeAllowed(const OptionRow& row);

}  // namespace kiwi::config
