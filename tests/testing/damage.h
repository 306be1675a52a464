// Damages files, as a bad disk does; for tests of what a damaged directory is opened to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"

namespace kiwi::testing {

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  KIWI_CHECK(out.good(), "cannot write a test's file");
}

// Names, sorted, of the directory's files that hold something and end in (or begin with) `part`.
inline std::vector<std::string> FilesLike(const std::string& directory, const std::string& part) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    const std::string name = file.path().filename().string();
    if ((name.ends_with(part) || name.starts_with(part)) && file.file_size() > 0) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Replaces `to` by a copy of `from`.
inline void CopyDirectory(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

// Changes some bytes at a random place; says which, for a failure's message. Never leaves the file
// as it was.
inline std::string DamageFile(const std::string& path, Random* random) {
  std::string bytes = ReadFile(path);
  const size_t at = random->Below(bytes.size());
  std::string what =
      path + " of " + std::to_string(bytes.size()) + " bytes, at " + std::to_string(at) + ": ";
  if (random->OneIn(2)) {
    const auto bit = static_cast<unsigned>(random->Below(8));
    bytes[at] ^= static_cast<char>(1u << bit);
    what += "bit " + std::to_string(bit) + " flipped";
  } else {
    const size_t count = std::min<size_t>(1 + random->Below(16), bytes.size() - at);
    for (size_t i = at; i < at + count; ++i) {
      bytes[i] ^= static_cast<char>(1 + random->Below(255));
    }
    what += std::to_string(count) + " bytes garbled";
  }
  WriteFile(path, bytes);
  return what;
}

}  // namespace kiwi::testing
