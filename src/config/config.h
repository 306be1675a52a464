// The server's configuration: defaults, then a file, then the command line; read by type, shown and
// changed at run time as CONFIG GET, SET and REWRITE do.
//
//   auto config = Config::Load(command_line).value();
//   const int64_t port = config->Get<"port">();
//   const bool helping = config->Get<"runtime.helping">();
//
// A name that is no option, or a type that does not fit, does not compile. Any thread may read.
// What a hot path needs is copied into an atomic of its own by OnChange: reading here takes a lock.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "config/command_line.h"
#include "config/option_table.h"
#include "config/value.h"

namespace kiwi::config {

// Why a CONFIG SET changed nothing, in the parts of Redis's error texts.
struct SetError {
  bool unknown = false;  // no such option; else `reason` says what is wrong with it
  std::string name;      // as it was given
  std::string reason;
  // "ERR CONFIG SET failed (possibly related to argument 'port') - …"
  std::string ToString() const;
};

class Config {
 public:
  using NameValues = std::span<const std::pair<std::string_view, std::string_view>>;
  // Called with the new values in place, never two at a time, by the thread that sets. An error
  // refuses the change: all of the set is taken back, and its message is the client's. May read the
  // configuration, but not set it.
  using Listener = std::function<Status(const Config&)>;

  // All defaults.
  Config();
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  // kConfig names file and line (or the command line), section, key and value, and what is allowed,
  // and for a name that is not known the nearest one that is. A key may stand in the file once; of
  // options repeated on the command line the last one counts, and each wins over the file.
  static Result<std::unique_ptr<Config>> Load(const std::string& file,
                                              std::span<const Override> overrides);
  static Result<std::unique_ptr<Config>> Load(const CommandLine& line) {
    return Load(line.file, line.overrides);
  }
  // The same from the text of a file; `path` is for messages, and for Rewrite.
  static Result<std::unique_ptr<Config>> Parse(std::string_view text, const std::string& path,
                                               std::span<const Override> overrides);

  // bool for yes/no; int64_t for numbers and sizes (bytes); std::string for strings and enums;
  // std::vector<std::string> for lists; OutputLimits for client-output-buffer-limit.
  template <FixedString kName>
  auto Get() const;

  // As CONFIG GET shows it; any spelling of the name.
  std::optional<std::string> Find(std::string_view name) const;
  // All options and aliases in the order of the table, names as CONFIG GET shows them.
  std::vector<std::pair<std::string, std::string>> List() const;
  // Of those whose name matches one of the glob patterns (any case), or is one of them in another
  // spelling; then under that spelling.
  std::vector<std::pair<std::string, std::string>> Match(
      std::span<const std::string_view> patterns) const;

  // CONFIG SET: all or nothing. What the start fixes can only be "set" to what it is.
  std::optional<SetError> Set(NameValues pairs);
  // A listener of one option, by the name it is shown under; called once for a set that touches
  // several of its options. Before threads start.
  void OnChange(std::string_view name, Listener listener);
  void OnChange(std::initializer_list<std::string_view> names, Listener listener);

  // CONFIG REWRITE: the file with its comments and order kept, and what differs from it changed or
  // added in its section; replaced atomically and synced. kNotFound: the server has no file.
  Status Rewrite();

  const std::string& file() const { return file_; }  // absolute; empty: none
  // Where the option got its value, for messages about it: "kiwi.conf:12: [storage] dir = /data".
  // By the name it is shown under.
  std::string Where(std::string_view name) const;

 private:
  struct Subscription {
    std::vector<size_t> options;
    Listener listener;
  };

  Value At(size_t option) const;
  std::optional<SetError> ParseAll(NameValues pairs, std::vector<size_t>* touched,
                                   std::vector<Value>* values) const;
  // The first listener that refuses, with the option it was called for.
  std::optional<SetError> Notify(NameValues pairs, const std::vector<size_t>& touched)
      KIWI_REQUIRES(set_mu_);

  // `with`: the option whose place stands for one that nobody gave.
  std::string WhereLocked(size_t option, std::optional<size_t> with) const KIWI_REQUIRES(mu_);

  mutable Mutex mu_;  // never held while calling out
  std::vector<Value> values_ KIWI_GUARDED_BY(mu_);
  std::vector<std::string> places_ KIWI_GUARDED_BY(mu_);  // of the start; empty: the default
  std::string origin_ KIWI_GUARDED_BY(mu_);               // file, or "command line"
  Mutex set_mu_;                                          // one Set or Rewrite at a time
  std::vector<Subscription> subscriptions_ KIWI_GUARDED_BY(set_mu_);
  std::string file_;
};

template <FixedString kName>
auto Config::Get() const {
  constexpr size_t kIndex = IndexOf(kName.view());
  static_assert(kIndex < kOptionCount, "no option is shown under this name");
  constexpr OptionType kType = kOptions[kIndex].type;
  if constexpr (kType == OptionType::kBool) {
    return At(kIndex).number != 0;
  } else if constexpr (kType == OptionType::kInt || kType == OptionType::kBytes ||
                       kType == OptionType::kOctal) {
    return At(kIndex).number;
  } else if constexpr (kType == OptionType::kOutputLimits) {
    return At(kIndex).limits;
  } else if constexpr (kOptions[kIndex].multi()) {
    return At(kIndex).words;
  } else {
    return At(kIndex).text;
  }
}

}  // namespace kiwi::config
