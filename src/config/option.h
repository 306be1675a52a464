// One row of the option table: all that is known of an option is in it. Parsing, CONFIG GET / SET /
// REWRITE, the start-up messages and the check of conf/kiwi.conf follow from the rows.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace kiwi::config {

enum class OptionType : uint8_t {
  kBool,            // yes or no
  kInt,             // from min to max
  kBytes,           // a memory size (100mb, 1gb), from min to max
  kBytesOrPercent,  // a memory size, or 0% to 100%
  kOctal,           // a file mode
  kEnum,            // one of `choices`
  kEnumSet,         // one or more of `choices`
  kString,          // any single value; quoted where it holds blanks
  kWords,           // any number of values
  kIntegers,        // exactly `words` integers from min to max, in ascending order
  kEvents,          // keyspace event classes, as notify-keyspace-events takes them
  kPercentiles,     // numbers from 0 to 100
  kSavePoints,      // pairs of seconds and changes
  kOutputLimits,    // class, hard limit, soft limit, soft seconds; any of the three classes
};

enum OptionFlag : uint8_t {
  kMutable = 1,   // CONFIG SET may change it at run time
  kOwn = 2,       // a name of Kiwi's own: shown as section.name; Redis's names are shown bare
  kSecret = 8,    // CONFIG GET shows it as empty; only the file and CONFIG REWRITE have it
  kNoEffect = 4,  // known to Redis's clients; Kiwi keeps the value and does nothing with it
};

inline constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kUint32Max = std::numeric_limits<uint32_t>::max();
inline constexpr int64_t kKiB = 1024;
inline constexpr int64_t kMiB = 1024 * kKiB;
inline constexpr int64_t kQueueMax = 1 << 24;

struct OptionRow {
  std::string_view section;
  std::string_view name;
  OptionType type = OptionType::kString;
  std::string_view fallback;  // the default, as it would stand in the file
  uint8_t flags = 0;
  int64_t min = 0;
  int64_t max = kNoLimit;
  std::string_view choices = {};  // separated by '|'
  std::string_view alias = {};    // Redis's older name of it
  uint8_t words = 0;
  std::string_view doc = {};  // one line; units and the meaning of special values included

  constexpr bool Has(OptionFlag flag) const { return (flags & flag) != 0; }
  // More than one word may follow the name.
  constexpr bool multi() const {
    return type == OptionType::kWords || type == OptionType::kIntegers ||
           type == OptionType::kEnumSet || type == OptionType::kPercentiles ||
           type == OptionType::kSavePoints || type == OptionType::kOutputLimits;
  }
};

// Makers of rows, so that a table reads as one. The section is put in by option_table.h.
constexpr OptionRow Bool(std::string_view name, std::string_view fallback, uint8_t flags,
                         std::string_view doc, std::string_view alias = {}) {
  return {.name = name,
          .type = OptionType::kBool,
          .fallback = fallback,
          .flags = flags,
          .alias = alias,
          .doc = doc};
}
constexpr OptionRow Int(std::string_view name, std::string_view fallback, int64_t min, int64_t max,
                        uint8_t flags, std::string_view doc, std::string_view alias = {}) {
  return {.name = name,
          .type = OptionType::kInt,
          .fallback = fallback,
          .flags = flags,
          .min = min,
          .max = max,
          .alias = alias,
          .doc = doc};
}
constexpr OptionRow Bytes(std::string_view name, std::string_view fallback, int64_t min,
                          int64_t max, uint8_t flags, std::string_view doc) {
  return {.name = name,
          .type = OptionType::kBytes,
          .fallback = fallback,
          .flags = flags,
          .min = min,
          .max = max,
          .doc = doc};
}
constexpr OptionRow Enum(std::string_view name, std::string_view fallback, std::string_view choices,
                         uint8_t flags, std::string_view doc) {
  return {.name = name,
          .type = OptionType::kEnum,
          .fallback = fallback,
          .flags = flags,
          .choices = choices,
          .doc = doc};
}
// Of a type that needs nothing more than its name.
constexpr OptionRow Of(OptionType type, std::string_view name, std::string_view fallback,
                       uint8_t flags, std::string_view doc, std::string_view alias = {}) {
  return {
      .name = name, .type = type, .fallback = fallback, .flags = flags, .alias = alias, .doc = doc};
}
constexpr OptionRow Text(std::string_view name, std::string_view fallback, uint8_t flags,
                         std::string_view doc, std::string_view alias = {}) {
  return Of(OptionType::kString, name, fallback, flags, doc, alias);
}

}  // namespace kiwi::config
