#include "config/config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>

#include "base/glob.h"
#include "config/checks.h"
#include "config/ini_file.h"
#include "config/rewrite.h"

namespace kiwi::config {
namespace {

Status Error(std::string message) { return {StatusCode::kConfig, std::move(message)}; }

std::string DidYouMean(const std::string& nearest) {
  return nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest);
}

Status UnknownKey(const std::string& where, const IniEntry& entry) {
  if (entry.section.empty()) {
    return Error(fmt::format("{}: {} stands in no [section]", where, entry.key));
  }
  if (!IsSection(entry.section)) {
    return Error(fmt::format("{}: unknown section [{}]{}", where, entry.section,
                             DidYouMean(NearestSection(entry.section))));
  }
  const auto elsewhere = FindOption(entry.key);
  if (elsewhere) {
    return Error(fmt::format("{}: [{}] {}: this key belongs to section [{}]", where, entry.section,
                             entry.key, kOptions[*elsewhere].section));
  }
  return Error(fmt::format("{}: [{}] {}: unknown key{}", where, entry.section, entry.key,
                           DidYouMean(NearestOption(entry.section, entry.key))));
}

Status ReadEntries(const std::vector<IniEntry>& entries, const std::string& path,
                   std::vector<Value>* values, std::vector<std::string>* places) {
  for (const IniEntry& entry : entries) {
    const std::string where = fmt::format("{}:{}", path, entry.line);
    const auto option = FindOption(entry.section, entry.key);
    if (!option) return UnknownKey(where, entry);
    const OptionRow& row = kOptions[*option];
    std::string& place = (*places)[*option];
    if (!place.empty()) {
      return Error(fmt::format("{}: [{}] {}: given twice, first at {}", where, entry.section,
                               entry.key, place));
    }
    place = where;
    auto value = ParseValueText(row, entry.value, /*verbatim=*/false, (*values)[*option]);
    if (!value.ok()) {
      return Error(fmt::format("{}: [{}] {} = {}: {}; allowed: {}", where, entry.section, entry.key,
                               entry.value, value.status().message(), DescribeAllowed(row)));
    }
    (*values)[*option] = std::move(value).value();
  }
  return {};
}

Status ReadOverrides(std::span<const Override> overrides, std::vector<Value>* values,
                     std::vector<std::string>* places) {
  for (const Override& given : overrides) {
    const auto option = FindOption(given.name);
    if (!option) {
      return Error(fmt::format("command line: --{}: unknown option{}", given.name,
                               DidYouMean(NearestOption(given.name))));
    }
    const OptionRow& row = kOptions[*option];
    // `--save ""` and `--bind "a b"` come as one word that stands for several.
    auto value = given.words.size() == 1
                     ? ParseValueText(row, given.words[0], /*verbatim=*/true, (*values)[*option])
                     : ParseValue(row, given.words, (*values)[*option]);
    if (!value.ok()) {
      return Error(fmt::format("command line: --{} {}: [{}] {}: {}; allowed: {}", given.name,
                               fmt::join(given.words, " "), row.section, row.name,
                               value.status().message(), DescribeAllowed(row)));
    }
    (*values)[*option] = std::move(value).value();
    (*places)[*option] = "command line";
  }
  return {};
}

std::string Shown(const OptionRow& row, const Value& value) {
  return row.Has(kSecret) ? std::string() : value.text;
}

}  // namespace

std::string SetError::ToString() const {
  if (unknown) {
    return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", name);
  }
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name,
                     reason);
}

Config::Config() {
  MutexLock lock(mu_);
  const auto defaults = DefaultValues();
  values_.assign(defaults.begin(), defaults.end());
  places_.resize(kOptionCount);
  origin_ = "command line";
}

Result<std::unique_ptr<Config>> Config::Load(const std::string& file,
                                             std::span<const Override> overrides) {
  if (file.empty()) return Parse("", "", overrides);
  KIWI_ASSIGN_OR_RETURN(const std::string text, ReadConfigFile(file));
  return Parse(text, file, overrides);
}

Result<std::unique_ptr<Config>> Config::Parse(std::string_view text, const std::string& path,
                                              std::span<const Override> overrides) {
  auto entries = ParseIni(text);
  if (!entries.ok()) return Error(fmt::format("{}:{}", path, entries.status().message()));
  auto config = std::make_unique<Config>();
  std::vector<std::string> places(kOptionCount);
  MutexLock lock(config->mu_);
  KIWI_RETURN_IF_ERROR(ReadEntries(*entries, path, &config->values_, &places));
  KIWI_RETURN_IF_ERROR(ReadOverrides(overrides, &config->values_, &places));
  config->origin_ = path.empty() ? "command line" : path;
  config->places_ = std::move(places);
  if (const auto conflict = FindConflict(config->values_)) {
    return Error(fmt::format("{}: {}{}{}", config->WhereLocked(conflict->option, conflict->with),
                             conflict->reason,
                             conflict->allowed.empty() ? "" : "; allowed: ", conflict->allowed));
  }
  if (!path.empty()) {
    std::error_code error;
    const auto absolute = std::filesystem::weakly_canonical(path, error);
    config->file_ = error ? path : absolute.string();
  }
  return config;
}

std::string Config::WhereLocked(size_t option, std::optional<size_t> with) const {
  const OptionRow& row = kOptions[option];
  const std::string value = row.Has(kSecret) ? "…" : values_[option].text;
  std::string place = places_[option];
  const bool given = !place.empty();
  if (!given && with) place = places_[*with];
  return fmt::format("{}: [{}] {} = {}{}", place.empty() ? origin_ : place, row.section, row.name,
                     value, given ? "" : " (the default)");
}

std::string Config::Where(std::string_view name) const {
  const size_t option = IndexOf(name);
  KIWI_CHECK(option < kOptionCount, "the place of an option that does not exist");
  MutexLock lock(mu_);
  return WhereLocked(option, std::nullopt);
}

Value Config::At(size_t option) const {
  MutexLock lock(mu_);
  return values_[option];
}

std::optional<std::string> Config::Find(std::string_view name) const {
  const auto option = FindOption(name);
  if (!option) return std::nullopt;
  return Shown(kOptions[*option], At(*option));
}

std::vector<std::pair<std::string, std::string>> Config::List() const {
  std::vector<std::pair<std::string, std::string>> list;
  MutexLock lock(mu_);
  for (size_t i = 0; i < kOptionCount; ++i) {
    const std::string shown = Shown(kOptions[i], values_[i]);
    list.emplace_back(DisplayName(kOptions[i]), shown);
    if (!kOptions[i].alias.empty()) list.emplace_back(kOptions[i].alias, shown);
  }
  return list;
}

std::vector<std::pair<std::string, std::string>> Config::Match(
    std::span<const std::string_view> patterns) const {
  std::vector<std::pair<std::string, std::string>> matches;
  const auto add = [&](const std::string& name, const std::string& value) {
    const auto same = [&](const auto& match) { return match.first == name; };
    if (std::none_of(matches.begin(), matches.end(), same)) matches.emplace_back(name, value);
  };
  for (const std::string_view pattern : patterns) {
    if (GlobIsLiteral(pattern)) {
      if (const auto value = Find(pattern)) add(std::string(pattern), *value);
      continue;
    }
    for (const auto& [name, value] : List()) {
      if (GlobMatch(pattern, name, /*ignore_case=*/true)) add(name, value);
    }
  }
  return matches;
}

std::optional<SetError> Config::ParseAll(NameValues pairs, std::vector<size_t>* touched,
                                         std::vector<Value>* values) const {
  const auto fail = [](std::string_view name, std::string_view reason) {
    return SetError{.name = std::string(name), .reason = std::string(reason)};
  };
  // Names are judged before values, as in Redis.
  for (const auto& pair : pairs) {
    const std::string_view name = pair.first;
    const auto option = FindOption(name);
    if (!option) return SetError{.unknown = true, .name = std::string(name), .reason = {}};
    if (!kOptions[*option].Has(kMutable)) {
      const Value& current = (*values)[*option];
      const auto value = ParseValueText(kOptions[*option], pair.second, /*verbatim=*/true, current);
      if (!value.ok() || value->text != current.text) {
        return fail(name, "can't set immutable config");
      }
    }
    if (std::find(touched->begin(), touched->end(), *option) != touched->end()) {
      return fail(name, "duplicate parameter");
    }
    touched->push_back(*option);
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    Value& current = (*values)[(*touched)[i]];
    auto value =
        ParseValueText(kOptions[(*touched)[i]], pairs[i].second, /*verbatim=*/true, current);
    if (!value.ok()) return fail(pairs[i].first, value.status().message());
    current = std::move(value).value();
  }
  const auto conflict = FindConflict(*values);
  if (!conflict) return std::nullopt;
  return fail(DisplayName(kOptions[conflict->option]), conflict->reason);
}

std::optional<SetError> Config::Notify(NameValues pairs, const std::vector<size_t>& touched) {
  for (const Subscription& subscription : subscriptions_) {
    for (size_t i = 0; i < touched.size(); ++i) {
      const auto& options = subscription.options;
      if (std::find(options.begin(), options.end(), touched[i]) == options.end()) continue;
      const Status status = subscription.listener(*this);
      if (status.ok()) break;
      return SetError{.name = std::string(pairs[i].first), .reason = std::string(status.message())};
    }
  }
  return std::nullopt;
}

std::optional<SetError> Config::Set(NameValues pairs) {
  MutexLock set_lock(set_mu_);
  std::vector<size_t> touched;
  std::vector<Value> values;
  {
    MutexLock lock(mu_);
    values = values_;
  }
  if (auto error = ParseAll(pairs, &touched, &values)) return error;
  {
    MutexLock lock(mu_);
    values_.swap(values);
  }
  auto error = Notify(pairs, touched);
  if (error) {
    {
      MutexLock lock(mu_);
      values_.swap(values);
    }
    // Those that took the new values are told the old ones, which they accepted before.
    (void)Notify(pairs, touched);
  }
  return error;
}

void Config::OnChange(std::string_view name, Listener listener) {
  OnChange({name}, std::move(listener));
}

void Config::OnChange(std::initializer_list<std::string_view> names, Listener listener) {
  Subscription subscription;
  for (const std::string_view name : names) {
    const size_t option = IndexOf(name);
    KIWI_CHECK(option < kOptionCount, "a listener of an option that does not exist");
    subscription.options.push_back(option);
  }
  subscription.listener = std::move(listener);
  MutexLock lock(set_mu_);
  subscriptions_.push_back(std::move(subscription));
}

Status Config::Rewrite() {
  MutexLock set_lock(set_mu_);
  if (file_.empty()) return {StatusCode::kNotFound, "The server is running without a config file"};
  std::vector<Value> values;
  {
    MutexLock lock(mu_);
    values = values_;
  }
  std::error_code error;
  std::string text;
  if (std::filesystem::exists(file_, error)) {
    KIWI_ASSIGN_OR_RETURN(text, ReadConfigFile(file_));
  }
  KIWI_ASSIGN_OR_RETURN(const std::string rewritten, RewriteText(text, values));
  if (rewritten == text) return {};
  return ReplaceFile(file_, rewritten);
}

}  // namespace kiwi::config
