// Reads RESP requests (arrays of bulk strings, and inline commands) out of a byte stream that may
// be cut anywhere. Limits and error texts are Redis 7.0's; where Redis's answer depends on how the
// stream was cut (a header line of over 64 KiB), ours is the same for every cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::protocol {

struct ParserLimits {
  uint64_t max_bulk_bytes = 512ULL << 20;  // proto-max-bulk-len
  uint64_t max_multibulk = 2147483647;     // arguments of one request, as Redis 7.0
  size_t max_inline_bytes = 64 << 10;      // of an inline command, and of any header line
  bool authenticated = true;               // before AUTH: at most 10 arguments of 16 KiB each
};

enum class ParseStatus : uint8_t { kRequest, kNeedMore, kError };

// Keeps its place inside a half-received request, so that no byte is scanned twice: a 512 MB value
// that arrives in small pieces costs one pass. Its memory is bounded by the bytes received (under
// three times a request of nothing but empty arguments), never by what a header announces. Not
// thread-safe.
class RequestParser {
 public:
  // `input` begins at the first byte not yet consumed: the bytes of an unfinished request are
  // passed again, with more behind them (their address may change). `input` is the caller's own
  // writable read buffer: quoted arguments of an inline command are unescaped in place.
  //
  // On kRequest: the arguments, at least one, are appended to *args as views into `input`, and
  // *consumed says how many bytes they took. Empty requests ("*0", a blank line) are skipped
  // silently: they count to the next request, and on kNeedMore *consumed is what they took (0
  // otherwise), which the caller may drop.
  //
  // On kError: error() is the text for the client ("Protocol error: …" without the "-ERR "), and
  // the connection must be closed after the reply. *args is unchanged unless kRequest.
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
  enum class LengthStatus : uint8_t { kOk, kNeedMore, kTooLong, kWrongType, kInvalid };

  ParseStatus ParseOne(std::string_view input, const ParserLimits& limits,
                       std::vector<std::string_view>* args, size_t* used);
  ParseStatus ParseInline(std::string_view input, const ParserLimits& limits,
                          std::vector<std::string_view>* args, size_t* used);
  ParseStatus Fail(std::string_view what);
  ParseStatus FailCount(LengthStatus status);
  ParseStatus FailLength(LengthStatus status, char got);
  LengthStatus ReadLengthSlow(std::string_view input, size_t at, char type,
                              const ParserLimits& limits, int64_t* value, size_t* next);

  // The place inside a half-received request. While one call sees all of a request nothing of this
  // is touched; its arguments go straight to the caller's vector.
  std::vector<Span> spans_;    // arguments complete so far, relative to the request's first byte
  size_t position_ = 0;        // how far it is parsed
  size_t scanned_ = 0;         // up to here there is no end of the line that begins at position_
  int64_t args_missing_ = -1;  // -1: its header is not parsed yet
  int64_t bulk_length_ = -1;   // -1: the next argument's header is not parsed yet
  size_t bytes_wanted_ = 0;
  std::string error_;
};

// Splits an inline command as redis-cli and Redis do (quotes, \xHH, \n …). False on unbalanced
// quotes.
bool SplitInlineArgs(std::string_view line, std::vector<std::string>* args);

}  // namespace kiwi::protocol
