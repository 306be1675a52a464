// What the adapters of RocksDB and LevelDB share: both engines use the same vocabulary.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace kiwi::storage {

template <typename Slice>
Slice ToSlice(std::string_view s) {
  return Slice(s.data(), s.size());
}

template <typename Slice>
std::string_view ToView(const Slice& s) {
  return {s.data(), s.size()};
}

// The engines report a taken directory as an IO error of their LOCK file.
inline bool SaysLocked(std::string_view message) {
  return message.find("LOCK") != std::string_view::npos &&
         message.find("lock ") != std::string_view::npos;
}

inline Status LockedError(const std::string& path) {
  return {StatusCode::kBusy, "the directory " + path +
                                 " is in use by another process or instance; stop that one, or "
                                 "choose another directory"};
}

}  // namespace kiwi::storage
