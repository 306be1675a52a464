// Splits a line into words as Redis's inline commands and configuration values do: blanks separate;
// "…" knows \n \r \t \b \a \xHH and \<any>, '…' knows \' only; a closing quote ends its word. A NUL
// ends the line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiwi {

// Appends the words to *args as views into `line`, which is rewritten where a word is quoted (a
// word is never longer than its spelling). False on unbalanced quotes, with *args as it was.
bool SplitArgsInPlace(char* line, size_t size, std::vector<std::string_view>* args);

// The same into strings of their own. *args is replaced.
bool SplitArgs(std::string_view line, std::vector<std::string>* args);

// The word spelled so that SplitArgs reads it back: as it is where that works, else "quoted".
std::string QuoteArg(std::string_view word);

}  // namespace kiwi
