// Structured log lines over spdlog: an event, then key=value fields, so that a line can be searched
// and shipped. Thread-safe. KIWI_LOG(kInfo, "checkpoint done applied={} keys={}", index, keys);
#pragma once

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>

#include "base/status.h"

namespace kiwi {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError, kOff };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  std::string file;  // empty: standard error
};

// Once, before the first thread is started. Without it, lines go to standard error at kInfo.
Status InitLog(const LogOptions& options);
void SetLogLevel(LogLevel level);
LogLevel GetLogLevel();
void FlushLog();

void LogLine(LogLevel level, std::string_view line);

}  // namespace kiwi

#define KIWI_LOG(level, ...)                                                \
  do {                                                                      \
    if (::kiwi::LogLevel::level >= ::kiwi::GetLogLevel()) {                 \
      ::kiwi::LogLine(::kiwi::LogLevel::level, ::fmt::format(__VA_ARGS__)); \
    }                                                                       \
  } while (false)
