// The value of an option: read from words by the rules of its row, and shown as CONFIG GET does.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "config/option.h"

namespace kiwi::config {

struct OutputLimit {
  uint64_t hard_bytes = 0;  // 0: none
  uint64_t soft_bytes = 0;
  int64_t soft_seconds = 0;
  bool operator==(const OutputLimit&) const = default;
};

struct OutputLimits {
  OutputLimit normal;
  OutputLimit replica;
  OutputLimit pubsub;
  bool operator==(const OutputLimits&) const = default;
};

struct Value {
  std::string text;                // canonical: what CONFIG GET shows
  int64_t number = 0;              // bool, int, bytes, octal; enum: the index of its choice
  std::vector<std::string> words;  // of the multi-word types
  OutputLimits limits;             // of kOutputLimits
};

// kInvalidArgument: the message is Redis's own for CONFIG SET. `current` stands for what the words
// do not say (the other classes of output limits).
Result<Value> ParseValue(const OptionRow& row, std::span<const std::string> words,
                         const Value& current);
// From one text: as CONFIG SET gets it (`verbatim`: a single value is taken as it is), or as it
// stands in a file (there quotes are undone).
Result<Value> ParseValueText(const OptionRow& row, std::string_view text, bool verbatim,
                             const Value& current);
// The default of a row; a row whose default it does not allow ends the process (a unit test looks).
Value DefaultValue(const OptionRow& row);
// Of all options, by index into kOptions; made once.
std::span<const Value> DefaultValues();

// Spelled for the file, each word quoted where it must be; none for an empty value.
std::vector<std::string> FileWords(const OptionRow& row, const Value& value);

}  // namespace kiwi::config
