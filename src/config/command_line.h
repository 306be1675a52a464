// What stands behind the server's name: kiwi-server [file] [--name value …]…
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace kiwi::config {

// One option, as in Redis: `--port 7000`, `--save 900 1 300 10`; also `--port=7000`.
struct Override {
  std::string name;                // without the dashes
  std::vector<std::string> words;  // up to the next one that begins with --
};

struct CommandLine {
  bool help = false;
  bool version = false;
  std::string file;          // empty: none
  std::string restore_from;  // --restore-from FILE: a backup to begin with; empty: none
  std::vector<Override> overrides;
};

// `args` without the program's name. kConfig says what is wrong.
Result<CommandLine> ParseCommandLine(std::span<const std::string> args);

// What --help prints about the command line, and one line an option.
std::string UsageText();

}  // namespace kiwi::config
