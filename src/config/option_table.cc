#include "config/option_table.h"

#include <spdlog/fmt/fmt.h>

#include <vector>

namespace kiwi::config {

static_assert(NamesAreDistinct());

namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

// Levenshtein's distance: how many letters to insert, drop or change.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

// Keeps the nearest of the names it is offered, if that is near enough to be meant.
class Nearest {
 public:
  explicit Nearest(std::string_view wanted)
      : wanted_(Lower(wanted.substr(0, 64))), best_(std::max<size_t>(2, wanted_.size() / 3) + 1) {}

  void Offer(std::string_view name, std::string_view shown) {
    const size_t distance = Distance(wanted_, name);
    if (distance >= best_) return;
    best_ = distance;
    name_ = shown;
  }
  std::string Take() { return std::move(name_); }

 private:
  std::string wanted_;
  size_t best_;
  std::string name_;
};

bool HasName(const OptionRow& row, std::string_view name) {
  return row.name == name || (!row.alias.empty() && row.alias == name);
}

std::string Range(const OptionRow& row, std::string_view what) {
  if (row.max == kNoLimit) return fmt::format("{} of at least {}", what, row.min);
  return fmt::format("{} from {} to {}", what, row.min, row.max);
}

std::string Listed(std::string_view choices) {
  std::string list;
  for (const char c : choices) list += c == '|' ? std::string(", ") : std::string(1, c);
  return list;
}

}  // namespace

std::string DisplayName(const OptionRow& row) {
  return row.Has(kOwn) ? fmt::format("{}.{}", row.section, row.name) : std::string(row.name);
}

std::optional<size_t> FindOption(std::string_view name) {
  const std::string lower = Lower(name);
  std::optional<size_t> own;
  int own_count = 0;
  for (size_t i = 0; i < kOptionCount; ++i) {
    const OptionRow& row = kOptions[i];
    if (IsQualifiedName(row, lower)) return i;
    if (!HasName(row, lower)) continue;
    if (!row.Has(kOwn)) return i;
    own = i;
    ++own_count;
  }
  return own_count == 1 ? own : std::nullopt;
}

std::optional<size_t> FindOption(std::string_view section, std::string_view name) {
  const std::string lower = Lower(name);
  for (size_t i = 0; i < kOptionCount; ++i) {
    if (kOptions[i].section == section && HasName(kOptions[i], lower)) return i;
  }
  return std::nullopt;
}

bool IsSection(std::string_view section) {
  return std::any_of(kOptions.begin(), kOptions.end(),
                     [&](const OptionRow& row) { return row.section == section; });
}

std::string NearestOption(std::string_view name) {
  Nearest nearest(name);
  for (const OptionRow& row : kOptions) {
    const std::string shown = DisplayName(row);
    nearest.Offer(shown, shown);
    nearest.Offer(row.name, shown);
    if (!row.alias.empty()) nearest.Offer(row.alias, row.alias);
  }
  return nearest.Take();
}

std::string NearestOption(std::string_view section, std::string_view name) {
  Nearest nearest(name);
  for (const OptionRow& row : kOptions) {
    if (row.section == section) nearest.Offer(row.name, row.name);
  }
  return nearest.Take();
}

std::string NearestSection(std::string_view section) {
  Nearest nearest(section);
  for (const OptionRow& row : kOptions) nearest.Offer(row.section, row.section);
  return nearest.Take();
}

std::string DescribeAllowed(const OptionRow& row) {
  switch (row.type) {
    case OptionType::kBool:
      return "yes or no";
    case OptionType::kInt:
      return Range(row, "an integer");
    case OptionType::kBytes:
      return Range(row, "a memory size (such as 64mb)");
    case OptionType::kBytesOrPercent:
      return "a memory size (such as 64mb), or 0% to 100%";
    case OptionType::kOctal:
      return fmt::format("an octal number from 0 to {:o}", row.max);
    case OptionType::kEnum:
      return "one of " + Listed(row.choices);
    case OptionType::kEnumSet:
      return "one or more of " + Listed(row.choices);
    case OptionType::kString:
      return "one value, in quotes where it holds blanks";
    case OptionType::kWords:
      return "any number of values";
    case OptionType::kIntegers:
      return fmt::format("{} ascending integers from {} to {}", row.words, row.min, row.max);
    case OptionType::kEvents:
      return "letters out of Ag$lshzxeKEtmdn";
    case OptionType::kPercentiles:
      return "numbers from 0 to 100";
    case OptionType::kSavePoints:
      return "pairs of seconds and changes";
    case OptionType::kOutputLimits:
      return "for each of normal, replica, pubsub: hard limit, soft limit, soft seconds";
  }
  return {};
}

}  // namespace kiwi::config
