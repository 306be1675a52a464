#include "config/command_line.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string_view>

#include "config/option_table.h"

namespace kiwi::config {
namespace {

// It is an act, not an option: it must not outlive the one start that it is meant for.
Status TakeRestore(CommandLine* line) {
  const auto restore = std::find_if(line->overrides.begin(), line->overrides.end(),
                                    [](const Override& o) { return o.name == "restore-from"; });
  if (restore == line->overrides.end()) return {};
  if (restore->words.size() != 1 || restore->words[0].empty()) {
    return {StatusCode::kConfig, "command line: --restore-from wants the path of one backup"};
  }
  line->restore_from = restore->words[0];
  line->overrides.erase(restore);
  return {};
}

}  // namespace

Result<CommandLine> ParseCommandLine(std::span<const std::string> args) {
  CommandLine line;
  size_t next = 0;
  if (!args.empty() && !args[0].starts_with('-')) {
    line.file = args[0];
    next = 1;
  }
  for (; next < args.size(); ++next) {
    const std::string_view arg = args[next];
    if (arg == "--help" || arg == "-h") {
      line.help = true;
    } else if (arg == "--version" || arg == "-v") {
      line.version = true;
    } else if (arg.starts_with("--") && arg.size() > 2) {
      const size_t equals = arg.find('=');
      Override& option = line.overrides.emplace_back();
      option.name = arg.substr(2, equals == std::string_view::npos ? equals : equals - 2);
      if (equals != std::string_view::npos) option.words.emplace_back(arg.substr(equals + 1));
    } else if (line.overrides.empty()) {
      return Status(StatusCode::kConfig,
                    fmt::format("command line: \"{}\" is neither the configuration file, which "
                                "comes first, nor an option (--name value)",
                                arg));
    } else {
      line.overrides.back().words.emplace_back(arg);
    }
  }
  KIWI_RETURN_IF_ERROR(TakeRestore(&line));
  return line;
}

std::string UsageText() {
  std::string text =
      "usage: kiwi-server [configuration file] [--name value ...] ...\n"
      "       kiwi-server --help | --version\n\n"
      "  --restore-from <file>\n"
      "      Makes the empty data directory of a backup (RAFT.BACKUP) first, as a group of one "
      "node.\n\n"
      "Every option can stand in the file, in its [section], or here, where it wins. Options:\n";
  std::string_view section;
  for (const OptionRow& row : kOptions) {
    if (row.Has(kNoEffect)) continue;
    if (row.section != section) text += fmt::format("\n[{}]\n", section = row.section);
    text += fmt::format("  --{} {}\n      {}\n", DisplayName(row),
                        row.fallback.empty() ? "\"\"" : row.fallback, row.doc);
  }
  return text +
         "\nNames of Redis that have no meaning here are accepted too: see [compat] in "
         "conf/kiwi.conf.\n";
}

}  // namespace kiwi::config
