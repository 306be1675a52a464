#include "config/ini_file.h"

#include <ini.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace kiwi::config {
namespace {

struct ParseState {
  std::string_view rest;
  int line = 0;
  bool indented = false;       // the line that was read last
  bool section_is_new = true;  // no key of it was read yet, so that nothing can be continued
  std::vector<IniEntry> entries;
};

// fgets over the text. inih asks for one line at a time, so this is where lines are counted.
char* NextLine(char* out, int size, void* stream) {
  auto* state = static_cast<ParseState*>(stream);
  if (state->rest.empty()) return nullptr;
  const size_t newline = state->rest.find('\n');
  const size_t length = newline == std::string_view::npos ? state->rest.size() : newline + 1;
  const size_t fits = std::min(length, static_cast<size_t>(size) - 1);
  std::memcpy(out, state->rest.data(), fits);
  out[fits] = '\0';
  state->rest.remove_prefix(length);
  ++state->line;
  state->indented = *out == ' ' || *out == '\t';
  if (*out == '[') state->section_is_new = true;
  return out;
}

// inih leaves comments behind lines that go on with a value.
std::string_view WithoutComment(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] != ';' || (text[i - 1] != ' ' && text[i - 1] != '\t')) continue;
    return text.substr(0, text.find_last_not_of(" \t", i - 1) + 1);
  }
  return text;
}

int OnEntry(void* user, const char* section, const char* name, const char* value) {
  auto* state = static_cast<ParseState*>(user);
  if (name == nullptr || value == nullptr) return 1;
  // inih reports a line that goes on with a value as the same key once more.
  if (state->indented && !state->section_is_new) {
    IniEntry& entry = state->entries.back();
    entry.last_line = state->line;
    const std::string_view more = WithoutComment(value);
    if (!entry.value.empty() && !more.empty()) entry.value += ' ';
    entry.value += more;
    return 1;
  }
  state->section_is_new = false;
  state->entries.push_back({state->line, state->line, section, name, value});
  return 1;
}

Status CheckLines(std::string_view text) {
  int line = 0;
  while (!text.empty()) {
    ++line;
    const size_t newline = text.find('\n');
    const std::string_view content = text.substr(0, newline);
    if (content.find('\0') != std::string_view::npos) {
      return {StatusCode::kConfig, fmt::format("{}: a NUL byte; this is not a text file", line)};
    }
    if (content.size() > kMaxLineBytes) {
      return {StatusCode::kConfig,
              fmt::format("{}: the line is longer than {} bytes; go on with its value on the next "
                          "line, indented",
                          line, kMaxLineBytes)};
    }
    text = newline == std::string_view::npos ? "" : text.substr(newline + 1);
  }
  return {};
}

}  // namespace

Result<std::vector<IniEntry>> ParseIni(std::string_view text) {
  KIWI_RETURN_IF_ERROR(CheckLines(text));
  ParseState state;
  state.rest = text;
  const int bad_line = ini_parse_stream(NextLine, &state, OnEntry, &state);
  if (bad_line != 0) {
    return Status(StatusCode::kConfig,
                  fmt::format("{}: neither a [section], nor key = value, nor a comment", bad_line));
  }
  return std::move(state.entries);
}

Result<std::string> ReadConfigFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (!file && file.gcount() == 0 && !file.eof())) {
    return Status(StatusCode::kConfig,
                  fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes) {
    return Status(
        StatusCode::kConfig,
        fmt::format("{}: larger than {} bytes; not a configuration file", path, kMaxFileBytes));
  }
  return text;
}

}  // namespace kiwi::config
