// Reads RESP requests (arrays of bulk strings, and inline commands) out of a byte stream that may be
// cut anywhere. Limits and error texts are Redis 7.0's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::protocol {

struct ParserLimits {
  uint64_t max_bulk_bytes = 512ULL << 20;   // proto-max-bulk-len
  uint64_t max_multibulk = 1ULL << 20;      // arguments of one request: Redis allows INT_MAX; 1M as 6.x
  size_t max_inline_bytes = 64 << 10;
  bool authenticated = true;  // before AUTH: at most 10 arguments of 16 KiB each
};

enum class ParseStatus : uint8_t { kRequest, kNeedMore, kError };

// Keeps its place inside a half-received request, so that no byte is scanned twice: a 512 MB value
// that arrives in small pieces costs one pass. Not thread-safe.
class RequestParser {
 public:
  // `input` begins at the first byte not yet consumed: the bytes of an unfinished request are passed
  // again, with more behind them (their address may change). On kRequest: the arguments are appended
  // to *args as views into `input`, and *consumed says how many bytes they took (an empty request,
  // "*0" or a blank line, is skipped silently). On kError: error() is the text for the client
  // ("Protocol error: …" without the "-ERR "), and the connection must be closed after the reply.
  ParseStatus Next(std::string_view input, const ParserLimits& limits,
                   std::vector<std::string_view>* args, size_t* consumed);

  const std::string& error() const { return error_; }
  // After kNeedMore: bytes (from the start of `input`) that will be needed at least, or 0 when that
  // is not known; lets the caller reserve once for a large value.
  size_t bytes_wanted() const { return bytes_wanted_; }
  // Forgets a half-parsed request.
  void Reset();

 private:
  struct Span {
    size_t offset;
    size_t length;
  };
  std::vector<Span> spans_;    // of the request being parsed, relative to its first byte
  size_t position_ = 0;        // how far it is parsed
  int64_t args_missing_ = -1;  // -1: its header is not parsed yet
  int64_t bulk_length_ = -1;   // -1: the next argument's header is not parsed yet
  size_t bytes_wanted_ = 0;
  std::string error_;
};

// Splits an inline command as redis-cli and Redis do (quotes, \xHH, \n …). False on unbalanced
// quotes.
bool SplitInlineArgs(std::string_view line, std::vector<std::string>* args);

}  // namespace kiwi::protocol
