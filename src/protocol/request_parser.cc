#include "protocol/request_parser.h"

#include <cstring>

#include "base/numbers.h"
#include "base/split_args.h"

namespace kiwi::protocol {
namespace {

constexpr int64_t kMaxArgsBeforeAuth = 10;
constexpr int64_t kMaxBulkBeforeAuth = 16384;
constexpr size_t kSpansKept = 1024;  // an idle connection keeps no more than these

// The number at p when it is written as clients write it: one to nine digits without a leading
// zero, and CRLF, all of it there. Returns what follows, or null: then the slow way decides what it
// is.
inline const char* FastLength(const char* p, const char* end, int64_t* value) {
  constexpr ptrdiff_t kMaxDigits = 9;
  const char* const first = p;
  uint64_t number = 0;
  for (; p < end; ++p) {
    const auto digit = static_cast<unsigned>(static_cast<unsigned char>(*p)) - '0';
    if (digit > 9) break;
    number = number * 10 + digit;
    if (p - first >= kMaxDigits) return nullptr;
  }
  if (end - p < 2 || *p != '\r' || p == first || (*first == '0' && p - first > 1)) return nullptr;
  *value = static_cast<int64_t>(number);
  return p + 2;
}

}  // namespace

void RequestParser::Reset() {
  if (spans_.capacity() > kSpansKept) {
    std::vector<Span>().swap(spans_);
  } else {
    spans_.clear();
  }
  position_ = 0;
  scanned_ = 0;
  args_missing_ = -1;
  bulk_length_ = -1;
}

ParseStatus RequestParser::Next(std::string_view input, const ParserLimits& limits,
                                std::vector<std::string_view>* args, size_t* consumed) {
  *consumed = 0;
  bytes_wanted_ = 0;
  const size_t before = args->size();
  size_t skipped = 0;
  for (;;) {
    size_t used = 0;
    const ParseStatus status = ParseOne(input.substr(skipped), limits, args, &used);
    if (status == ParseStatus::kRequest) {
      skipped += used;
      if (args->size() == before) continue;
      *consumed = skipped;
    } else if (status == ParseStatus::kNeedMore && skipped > 0) {
      // Begin afresh next time, so that it does not matter whether the caller drops the bytes.
      if (bytes_wanted_ > 0) bytes_wanted_ += skipped;
      Reset();
      *consumed = skipped;
    }
    return status;
  }
}

ParseStatus RequestParser::ParseOne(std::string_view input, const ParserLimits& limits,
                                    std::vector<std::string_view>* args, size_t* used) {
  const char* const base = input.data();
  const char* const end = base + input.size();
  const bool resumed = position_ > 0;
  const char* p = base + position_;
  int64_t missing = args_missing_;
  int64_t length = bulk_length_;

  if (missing < 0) {
    if (input.empty()) return ParseStatus::kNeedMore;
    if (*base != '*') return ParseInline(input, limits, args, used);
    if (const char* next = FastLength(base + 1, end, &missing)) {
      p = next;
    } else {
      size_t behind = 0;
      const LengthStatus status = ReadLengthSlow(input, 0, '*', limits, &missing, &behind);
      if (status == LengthStatus::kNeedMore) return ParseStatus::kNeedMore;
      if (status != LengthStatus::kOk) return FailCount(status);
      p = base + behind;
    }
    if (missing > 0 && static_cast<uint64_t>(missing) > limits.max_multibulk) {
      return FailCount(LengthStatus::kInvalid);
    }
    if (missing > kMaxArgsBeforeAuth && !limits.authenticated) {
      return Fail("unauthenticated multibulk length");
    }
  }

  const size_t before = args->size();
  for (; missing > 0; --missing) {
    if (length < 0) {
      const char* next = p < end && *p == '$' ? FastLength(p + 1, end, &length) : nullptr;
      if (next == nullptr) {
        const auto at = static_cast<size_t>(p - base);
        size_t behind = 0;
        const LengthStatus status = ReadLengthSlow(input, at, '$', limits, &length, &behind);
        if (status == LengthStatus::kNeedMore) break;
        if (status != LengthStatus::kOk) {
          args->resize(before);
          return FailLength(status, *p);
        }
        next = base + behind;
      }
      if (static_cast<uint64_t>(length) > limits.max_bulk_bytes) {
        args->resize(before);
        return FailLength(LengthStatus::kInvalid, *p);
      }
      if (length > kMaxBulkBeforeAuth && !limits.authenticated) {
        args->resize(before);
        return Fail("unauthenticated bulk length");
      }
      p = next;
    }
    if (end - p - 2 < length) {  // not length + 2, which could overflow
      bytes_wanted_ = static_cast<size_t>(p - base) + static_cast<size_t>(length) + 2;
      break;
    }
    if (resumed) {
      spans_.push_back({static_cast<size_t>(p - base), static_cast<size_t>(length)});
    } else {
      args->emplace_back(p, static_cast<size_t>(length));
    }
    p += length + 2;
    length = -1;
  }

  if (missing > 0) {
    if (!resumed) {
      for (size_t i = before; i < args->size(); ++i) {
        const std::string_view arg = (*args)[i];
        spans_.push_back({static_cast<size_t>(arg.data() - base), arg.size()});
      }
      args->resize(before);
    }
    position_ = static_cast<size_t>(p - base);
    args_missing_ = missing;
    bulk_length_ = length;
    return ParseStatus::kNeedMore;
  }
  *used = static_cast<size_t>(p - base);
  if (resumed || scanned_ > 0) {
    for (const Span& span : spans_) args->emplace_back(base + span.offset, span.length);
    Reset();
  }
  return ParseStatus::kRequest;
}

RequestParser::LengthStatus RequestParser::ReadLengthSlow(std::string_view input, size_t at,
                                                          char type, const ParserLimits& limits,
                                                          int64_t* value, size_t* next) {
  // The line may be no longer than this, its end included in the search, its LF not.
  const size_t limit = limits.max_inline_bytes + 1;
  const std::string_view line = input.substr(at, limit);
  const size_t from = scanned_ > at ? scanned_ - at : 0;
  const size_t cr = line.find('\r', from);
  if (cr == std::string_view::npos) {
    scanned_ = at + line.size();
    return line.size() == limit ? LengthStatus::kTooLong : LengthStatus::kNeedMore;
  }
  if (at + cr + 1 >= input.size()) {
    scanned_ = at + cr;
    return LengthStatus::kNeedMore;
  }
  if (line[0] != type) return LengthStatus::kWrongType;
  int64_t number = 0;
  if (!ParseInt64(line.substr(1, cr - 1), &number)) return LengthStatus::kInvalid;
  if (type == '$' && number < 0) return LengthStatus::kInvalid;
  *value = number;
  *next = at + cr + 2;
  return LengthStatus::kOk;
}

ParseStatus RequestParser::ParseInline(std::string_view input, const ParserLimits& limits,
                                       std::vector<std::string_view>* args, size_t* used) {
  const std::string_view line = input.substr(0, limits.max_inline_bytes + 1);
  const size_t newline = line.find('\n', scanned_);
  if (newline == std::string_view::npos) {
    scanned_ = line.size();
    if (line.size() > limits.max_inline_bytes) return Fail("too big inline request");
    return ParseStatus::kNeedMore;
  }
  size_t length = newline;
  if (length > 0 && line[length - 1] == '\r') --length;
  // The caller's read buffer, lent to us for this (see Next).
  if (!SplitArgsInPlace(const_cast<char*>(line.data()), length, args)) {
    return Fail("unbalanced quotes in request");
  }
  *used = newline + 1;
  scanned_ = 0;
  return ParseStatus::kRequest;
}

ParseStatus RequestParser::Fail(std::string_view what) {
  error_ = "Protocol error: ";
  error_ += what;
  return ParseStatus::kError;
}

ParseStatus RequestParser::FailCount(LengthStatus status) {
  return Fail(status == LengthStatus::kTooLong ? "too big mbulk count string"
                                               : "invalid multibulk length");
}

ParseStatus RequestParser::FailLength(LengthStatus status, char got) {
  if (status == LengthStatus::kTooLong) return Fail("too big bulk count string");
  if (status == LengthStatus::kWrongType)
    return Fail(std::string("expected '$', got '") + got + "'");
  return Fail("invalid bulk length");
}

bool SplitInlineArgs(std::string_view line, std::vector<std::string>* args) {
  return SplitArgs(line, args);
}

}  // namespace kiwi::protocol
