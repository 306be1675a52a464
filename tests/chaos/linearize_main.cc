// linearize FILE|-: judges the history of a chaos run (history.h says how it is written).
// Exit: 0 every key is explained, 1 a violation, 2 not a history, 3 a search was given up.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string_view>

#include "chaos/checker.h"

namespace {

int Print(const kiwi::chaos::CheckReport& report) {
  std::printf("linearize: %zu operations on %zu keys, %zu of unknown outcome: %zu violations\n",
              report.operations, report.keys, report.unknown, report.violations.size());
  for (const kiwi::chaos::Violation& violation : report.violations) {
    if (violation.story.empty()) continue;
    std::printf("no order explains key %s, from the line marked with ! on:\n%s",
                violation.key.c_str(), violation.story.c_str());
  }
  for (const std::string& key : report.undecided) {
    std::printf("given up: the search on key %s has too many states\n", key.c_str());
  }
  if (!report.violations.empty()) return 1;
  return report.undecided.empty() ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: linearize FILE|-\n");
    return 2;
  }
  const std::string_view name = argv[1];
  std::ifstream file;
  if (name != "-") file.open(argv[1]);
  std::istream& in = name == "-" ? std::cin : file;
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", argv[1]);
    return 2;
  }
  const auto ops = kiwi::chaos::ReadHistory(in);
  if (!ops.ok()) {
    std::fprintf(stderr, "%s\n", ops.status().ToString().c_str());
    return 2;
  }
  return Print(kiwi::chaos::Check(*ops));
}
