#include "config/rewrite.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <vector>

#include "config/ini_file.h"
#include "config/option_table.h"

namespace kiwi::config {
namespace {

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    lines.emplace_back(text.substr(0, newline));
    text = newline == std::string_view::npos ? "" : text.substr(newline + 1);
  }
  return lines;
}

// " ; why" behind the value of a line, its blanks included; empty if there is none.
std::string_view CommentOf(std::string_view line) {
  for (size_t i = 1; i < line.size(); ++i) {
    if (line[i] != ';' || (line[i - 1] != ' ' && line[i - 1] != '\t')) continue;
    return line.substr(line.find_last_not_of(" \t", i - 1) + 1);
  }
  return {};
}

// "key = value", gone on with on indented lines where one is too short.
Result<std::vector<std::string>> Spell(std::string_view key, const OptionRow& row,
                                       const Value& value, std::string_view comment) {
  const std::vector<std::string> words = FileWords(row, value);
  const std::string whole =
      fmt::format("{} ={}{}", key, words.empty() ? "" : " ", fmt::join(words, " "));
  if (whole.size() + comment.size() <= kMaxLineBytes) {
    return std::vector<std::string>{whole + std::string(comment)};
  }
  if (whole.size() <= kMaxLineBytes) return std::vector<std::string>{whole};
  std::vector<std::string> lines = {fmt::format("{} =", key)};
  for (const std::string& word : words) {
    if (word.size() + 4 > kMaxLineBytes) {
      return Status(StatusCode::kConfig,
                    fmt::format("the value of {} is too long for a line of the file ({} bytes)",
                                DisplayName(row), kMaxLineBytes));
    }
    if (lines.size() > 1 && lines.back().size() + 1 + word.size() <= kMaxLineBytes) {
      lines.back() += fmt::format(" {}", word);
    } else {
      lines.push_back(fmt::format("    {}", word));
    }
  }
  return lines;
}

// What is to stand in place of some of the file's lines, by line number counted from 1.
struct Edits {
  std::map<int, std::vector<std::string>> replaced;  // at this line (its old text goes)
  std::map<int, std::vector<std::string>> added;     // behind this line
  std::vector<bool> dropped;                         // by line number
};

std::string Apply(const std::vector<std::string>& lines, const Edits& edits,
                  const std::vector<std::string>& tail) {
  std::string text;
  const auto put = [&](const std::vector<std::string>& all) {
    for (const std::string& line : all) text += line + "\n";
  };
  for (int number = 1; number <= static_cast<int>(lines.size()); ++number) {
    const auto replaced = edits.replaced.find(number);
    if (replaced != edits.replaced.end()) {
      put(replaced->second);
    } else if (!edits.dropped[static_cast<size_t>(number)]) {
      text += lines[static_cast<size_t>(number) - 1] + "\n";
    }
    const auto added = edits.added.find(number);
    if (added != edits.added.end()) put(added->second);
  }
  put(tail);
  return text;
}

// The line of each section's last entry, or of its header if it has none.
std::map<std::string, int, std::less<>> SectionEnds(const std::vector<std::string>& lines,
                                                    const std::vector<IniEntry>& entries) {
  std::map<std::string, int, std::less<>> ends;
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t close = lines[i].find(']');
    if (!lines[i].empty() && lines[i][0] == '[' && close != std::string::npos) {
      ends[lines[i].substr(1, close - 1)] = static_cast<int>(i) + 1;
    }
  }
  for (const IniEntry& entry : entries) {
    int& end = ends[entry.section];
    end = std::max(end, entry.last_line);
  }
  return ends;
}

Status IoError(const std::string& path, const char* what) {
  return {StatusCode::kIo, fmt::format("{}: {}: {}", path, what, std::strerror(errno))};
}

Status WriteAndSync(int fd, const std::string& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return IoError(path, "write");
    content.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(fd) == 0 ? Status() : IoError(path, "fsync");
}

Status SyncDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return IoError(path, "open");
  Status status = ::fsync(fd) == 0 ? Status() : IoError(path, "fsync");
  ::close(fd);
  return status;
}

}  // namespace

Result<std::string> RewriteText(std::string_view text, std::span<const Value> values) {
  KIWI_ASSIGN_OR_RETURN(const std::vector<IniEntry> entries, ParseIni(text));
  const std::vector<std::string> lines = Lines(text);
  const std::span<const Value> defaults = DefaultValues();
  Edits edits;
  edits.dropped.resize(lines.size() + 1);
  std::vector<bool> present(kOptionCount);
  for (const IniEntry& entry : entries) {
    const auto option = FindOption(entry.section, entry.key);
    if (!option) continue;  // not ours to judge: a start refuses it
    present[*option] = true;
    const OptionRow& row = kOptions[*option];
    const auto written = ParseValueText(row, entry.value, /*verbatim=*/false, defaults[*option]);
    if (written.ok() && written->text == values[*option].text) continue;
    const std::string& line = lines[static_cast<size_t>(entry.line) - 1];
    KIWI_ASSIGN_OR_RETURN(edits.replaced[entry.line],
                          Spell(entry.key, row, values[*option], CommentOf(line)));
    for (int i = entry.line + 1; i <= entry.last_line; ++i) {
      edits.dropped[static_cast<size_t>(i)] = true;
    }
  }
  const auto ends = SectionEnds(lines, entries);
  std::vector<std::string> tail;
  std::string_view tail_section;
  for (size_t i = 0; i < kOptionCount; ++i) {
    const OptionRow& row = kOptions[i];
    if (present[i] || values[i].text == defaults[i].text) continue;
    KIWI_ASSIGN_OR_RETURN(const auto spelled, Spell(row.name, row, values[i], ""));
    const auto end = ends.find(row.section);
    if (end == ends.end() && row.section != tail_section) {
      if (!lines.empty() || !tail.empty()) tail.emplace_back();
      tail.push_back(fmt::format("[{}]", row.section));
      tail_section = row.section;
    }
    auto& target = end == ends.end() ? tail : edits.added[end->second];
    target.insert(target.end(), spelled.begin(), spelled.end());
  }
  if (edits.replaced.empty() && edits.added.empty() && tail.empty()) return std::string(text);
  return Apply(lines, edits, tail);
}

Status ReplaceFile(const std::string& path, std::string_view content) {
  struct stat old = {};
  const mode_t mode = ::stat(path.c_str(), &old) == 0 ? old.st_mode & 07777 : 0644;
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return IoError(temporary, "create");
  Status status = ::fchmod(fd, mode) == 0 ? Status() : IoError(temporary, "chmod");
  if (status.ok()) status = WriteAndSync(fd, temporary, content);
  ::close(fd);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = IoError(path, "rename");
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  const auto parent = std::filesystem::path(path).parent_path();
  return SyncDirectory(parent.empty() ? "." : parent.string());
}

}  // namespace kiwi::config
