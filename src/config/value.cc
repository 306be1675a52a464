#include "config/value.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/numbers.h"
#include "base/split_args.h"
#include "config/option_table.h"

namespace kiwi::config {
namespace {

Status Bad(std::string reason) { return {StatusCode::kInvalidArgument, std::move(reason)}; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

std::vector<std::string_view> Choices(std::string_view choices) {
  std::vector<std::string_view> list;
  while (!choices.empty()) {
    const size_t bar = choices.find('|');
    list.push_back(choices.substr(0, bar));
    choices = bar == std::string_view::npos ? "" : choices.substr(bar + 1);
  }
  return list;
}

Status CheckRange(const OptionRow& row, int64_t number) {
  if (number >= row.min && number <= row.max) return {};
  return Bad(fmt::format("argument must be between {} and {} inclusive", row.min, row.max));
}

Result<Value> ParseInt(const OptionRow& row, const std::string& word) {
  Value value;
  if (!ParseInt64(word, &value.number)) return Bad("argument couldn't be parsed into an integer");
  KIWI_RETURN_IF_ERROR(CheckRange(row, value.number));
  value.text = std::to_string(value.number);
  return value;
}

Result<Value> ParseBytes(const OptionRow& row, const std::string& word) {
  uint64_t bytes = 0;
  if (!ParseMemorySize(word, &bytes) || bytes > static_cast<uint64_t>(kNoLimit)) {
    return Bad("argument must be a memory value");
  }
  Value value;
  value.number = static_cast<int64_t>(bytes);
  KIWI_RETURN_IF_ERROR(CheckRange(row, value.number));
  value.text = std::to_string(bytes);
  return value;
}

Result<Value> ParseBytesOrPercent(const OptionRow& row, const std::string& word) {
  if (word.empty() || word.back() != '%') {
    auto value = ParseBytes(row, word);
    if (!value.ok()) return Bad("argument must be a memory or percent value");
    return value;
  }
  Value value;
  if (!ParseInt64(word.substr(0, word.size() - 1), &value.number) || value.number < 0) {
    return Bad("argument must be a memory or percent value");
  }
  if (value.number > 100) return Bad("percentage argument must be less or equal to 100");
  value.text = fmt::format("{}%", value.number);
  return value;
}

Result<Value> ParseOctal(const OptionRow& row, const std::string& word) {
  Value value;
  const char* end = word.data() + word.size();
  const auto parsed = std::from_chars(word.data(), end, value.number, 8);
  if (word.empty() || parsed.ec != std::errc() || parsed.ptr != end) {
    return Bad("argument couldn't be parsed as an octal number");
  }
  if (value.number < row.min || value.number > row.max) {
    return Bad(fmt::format("argument must be between {:o} and {:o} inclusive", row.min, row.max));
  }
  value.text = fmt::format("{:o}", value.number);
  return value;
}

Result<Value> ParseChoices(const OptionRow& row, std::span<const std::string> words) {
  const std::vector<std::string_view> choices = Choices(row.choices);
  Value value;
  bool fits = !words.empty();
  for (const std::string& word : words) {
    const auto found = std::find(choices.begin(), choices.end(), Lower(word));
    fits &= found != choices.end();
    if (!fits) break;
    value.number = found - choices.begin();
    if (!value.text.empty()) value.text += ' ';
    value.text += *found;
    value.words.emplace_back(*found);
  }
  if (fits) return value;
  std::string list;
  for (const std::string_view choice : choices) {
    list += list.empty() ? "" : ", ";
    list += choice;
  }
  return Bad("argument(s) must be one of the following: " + list);
}

// Classes in the order in which Redis shows them; A stands for all of the first line.
Result<Value> ParseEvents(const std::string& word) {
  constexpr std::string_view kAll = "g$lshzxetd";
  constexpr std::string_view kOthers = "KEmn";
  bool set[256] = {};
  for (const char c : word) {
    if (c == 'A') {
      for (const char each : kAll) set[static_cast<unsigned char>(each)] = true;
    } else if (kAll.find(c) != std::string_view::npos ||
               kOthers.find(c) != std::string_view::npos) {
      set[static_cast<unsigned char>(c)] = true;
    } else {
      return Bad("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    }
  }
  const auto is_set = [&](char c) { return set[static_cast<unsigned char>(c)]; };
  Value value;
  if (std::all_of(kAll.begin(), kAll.end(), is_set)) {
    value.text = "A";
  } else {
    std::copy_if(kAll.begin(), kAll.end(), std::back_inserter(value.text), is_set);
  }
  std::copy_if(kOthers.begin(), kOthers.end(), std::back_inserter(value.text), is_set);
  return value;
}

Result<Value> ParsePercentiles(std::span<const std::string> words) {
  Value value;
  for (const std::string& word : words) {
    double percentile = 0;
    if (!ParseDouble(word, &percentile)) {
      return Bad("Invalid latency-tracking-info-percentiles parameters");
    }
    if (percentile < 0 || percentile > 100) {
      return Bad("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
    }
    value.words.push_back(fmt::format("{}", percentile));
  }
  value.text = fmt::format("{}", fmt::join(value.words, " "));
  return value;
}

Result<Value> ParseSavePoints(std::span<const std::string> words) {
  Value value;
  // A lone "" means none, as in Redis.
  if (words.size() == 1 && words[0].empty()) words = {};
  bool fits = words.size() % 2 == 0;
  for (size_t i = 0; fits && i < words.size(); ++i) {
    int64_t number = 0;
    fits = ParseInt64(words[i], &number) && number >= (i % 2 == 0 ? 1 : 0);
    value.words.push_back(words[i]);
  }
  if (!fits) return Bad("Invalid save parameters");
  value.text = fmt::format("{}", fmt::join(value.words, " "));
  return value;
}

Result<Value> ParseIntegers(const OptionRow& row, std::span<const std::string> words) {
  if (words.size() != row.words) return Bad("wrong number of arguments");
  Value value;
  int64_t last = row.min;
  for (const std::string& word : words) {
    int64_t number = 0;
    if (!ParseInt64(word, &number) || number < row.min || number > row.max) {
      return Bad(fmt::format("Invalid {}, elements must be between {} and {}.", row.name, row.min,
                             row.max));
    }
    if (number < last) return Bad(fmt::format("Invalid {}, elements must ascend.", row.name));
    last = number;
    value.words.push_back(word);
  }
  value.text = fmt::format("{}", fmt::join(value.words, " "));
  return value;
}

std::string LimitsText(const OutputLimits& limits) {
  std::string text;
  const auto add = [&](std::string_view name, const OutputLimit& limit) {
    text += fmt::format("{}{} {} {} {}", text.empty() ? "" : " ", name, limit.hard_bytes,
                        limit.soft_bytes, limit.soft_seconds);
  };
  add("normal", limits.normal);
  add("slave", limits.replica);
  add("pubsub", limits.pubsub);
  return text;
}

Result<Value> ParseOutputLimits(std::span<const std::string> words, const Value& current) {
  if (words.size() % 4 != 0) {
    return Bad("Wrong number of arguments in buffer limit configuration.");
  }
  Value value;
  value.limits = current.limits;
  for (size_t i = 0; i < words.size(); i += 4) {
    const std::string name = Lower(words[i]);
    OutputLimit* limit = name == "normal"                       ? &value.limits.normal
                         : name == "slave" || name == "replica" ? &value.limits.replica
                         : name == "pubsub"                     ? &value.limits.pubsub
                                                                : nullptr;
    if (limit == nullptr) {
      return Bad("Invalid client class specified in buffer limit configuration.");
    }
    if (!ParseMemorySize(words[i + 1], &limit->hard_bytes) ||
        !ParseMemorySize(words[i + 2], &limit->soft_bytes) ||
        !ParseInt64(words[i + 3], &limit->soft_seconds) || limit->soft_seconds < 0) {
      return Bad("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
  }
  value.text = LimitsText(value.limits);
  return value;
}

}  // namespace

Result<Value> ParseValue(const OptionRow& row, std::span<const std::string> words,
                         const Value& current) {
  switch (row.type) {
    case OptionType::kEnumSet:
      return ParseChoices(row, words);
    case OptionType::kIntegers:
      return ParseIntegers(row, words);
    case OptionType::kPercentiles:
      return ParsePercentiles(words);
    case OptionType::kSavePoints:
      return ParseSavePoints(words);
    case OptionType::kOutputLimits:
      return ParseOutputLimits(words, current);
    case OptionType::kWords: {
      Value value;
      value.words.assign(words.begin(), words.end());
      std::erase(value.words, "");
      value.text = fmt::format("{}", fmt::join(value.words, " "));
      return value;
    }
    default:
      break;
  }
  if (words.size() != 1) return Bad("wrong number of arguments");
  const std::string& word = words[0];
  switch (row.type) {
    case OptionType::kBool: {
      const std::string lower = Lower(word);
      if (lower != "yes" && lower != "no") return Bad("argument must be 'yes' or 'no'");
      return Value{.text = lower, .number = lower == "yes" ? 1 : 0, .words = {}, .limits = {}};
    }
    case OptionType::kInt:
      return ParseInt(row, word);
    case OptionType::kBytes:
      return ParseBytes(row, word);
    case OptionType::kBytesOrPercent:
      return ParseBytesOrPercent(row, word);
    case OptionType::kOctal:
      return ParseOctal(row, word);
    case OptionType::kEnum:
      return ParseChoices(row, words);
    case OptionType::kEvents:
      return ParseEvents(word);
    default:
      return Value{.text = word, .number = 0, .words = {}, .limits = {}};
  }
}

Result<Value> ParseValueText(const OptionRow& row, std::string_view text, bool verbatim,
                             const Value& current) {
  std::vector<std::string> words;
  if (verbatim && !row.multi()) {
    words.emplace_back(text);
  } else if (!SplitArgs(text, &words)) {
    return Bad("unbalanced quotes");
  }
  if (!row.multi() && words.empty()) words.emplace_back();
  return ParseValue(row, words, current);
}

Value DefaultValue(const OptionRow& row) {
  auto value = ParseValueText(row, row.fallback, /*verbatim=*/false, {});
  KIWI_CHECK(value.ok(), "the default of a row is not allowed by the row");
  return std::move(value).value();
}

std::span<const Value> DefaultValues() {
  static const auto* const kDefaults = [] {
    auto values = std::make_unique<std::vector<Value>>();
    for (const OptionRow& row : kOptions) values->push_back(DefaultValue(row));
    return values.release();  // never destroyed: threads may read it until the very end
  }();
  return *kDefaults;
}

std::vector<std::string> FileWords(const OptionRow& row, const Value& value) {
  const auto quote = [](const std::string& word) {
    std::string quoted = QuoteArg(word);
    if (quoted[0] == ';' || quoted[0] == '#') quoted = "\"" + quoted + "\"";
    if (quoted[0] != '"') return quoted;
    // inih takes a ';' behind a blank for a comment even inside of quotes.
    std::string safe;
    for (const char c : quoted) safe += c == ';' ? std::string("\\x3b") : std::string(1, c);
    return safe;
  };
  std::vector<std::string> words;
  if (row.type == OptionType::kOutputLimits) {
    KIWI_CHECK(SplitArgs(value.text, &words), "output limits hold no quotes");
  } else if (!row.multi()) {
    if (!value.text.empty()) words.push_back(quote(value.text));
  } else {
    for (const std::string& word : value.words) words.push_back(quote(word));
  }
  return words;
}

}  // namespace kiwi::config
