#include "protocol/reply_writer.h"

#include <cmath>
#include <cstring>

#include "base/numbers.h"

namespace kiwi::protocol {
namespace {

constexpr size_t kHeaderChars = 1 + kMaxInt64Chars + 2;
// Up to this size a bulk string is put together on the stack and appended once.
constexpr size_t kSmallBulk = 128;

inline char* PutHeader(char* out, char type, int64_t value) {
  *out++ = type;
  // Most headers are small numbers; to_chars costs a few times this.
  if (value >= 0 && value < 10) {
    *out++ = static_cast<char>('0' + value);
  } else {
    out = FormatInt64(out, value);
  }
  *out++ = '\r';
  *out++ = '\n';
  return out;
}

}  // namespace

void ReplyWriter::Header(char type, int64_t value) {
  char buffer[kHeaderChars];
  const char* end = PutHeader(buffer, type, value);
  out_->append(buffer, static_cast<size_t>(end - buffer));
}

void ReplyWriter::Simple(std::string_view text) {
  out_->push_back('+');
  out_->append(text);
  out_->append("\r\n", 2);
}

void ReplyWriter::Error(std::string_view text) {
  out_->push_back('-');
  const size_t begin = out_->size();
  out_->append(text);
  for (size_t i = begin; i < out_->size(); ++i) {
    if ((*out_)[i] == '\r' || (*out_)[i] == '\n') (*out_)[i] = ' ';
  }
  out_->append("\r\n", 2);
}

void ReplyWriter::Integer(int64_t value) { Header(':', value); }

void ReplyWriter::Bulk(std::string_view bytes) {
  char buffer[kHeaderChars + kSmallBulk + 2];
  char* end = PutHeader(buffer, '$', static_cast<int64_t>(bytes.size()));
  if (bytes.size() <= kSmallBulk) {
    std::memcpy(end, bytes.data(), bytes.size());
    end += bytes.size();
    *end++ = '\r';
    *end++ = '\n';
    out_->append(buffer, static_cast<size_t>(end - buffer));
    return;
  }
  out_->append(buffer, static_cast<size_t>(end - buffer));
  out_->append(bytes);
  out_->append("\r\n", 2);
}

void ReplyWriter::BulkInteger(int64_t value) {
  char digits[kMaxInt64Chars];
  const char* end = FormatInt64(digits, value);
  Bulk({digits, static_cast<size_t>(end - digits)});
}

void ReplyWriter::Null() { out_->append(resp3_ ? "_\r\n" : "$-1\r\n"); }

void ReplyWriter::NullArray() { out_->append(resp3_ ? "_\r\n" : "*-1\r\n"); }

void ReplyWriter::Array(size_t n) { Header('*', static_cast<int64_t>(n)); }

void ReplyWriter::Map(size_t n) {
  Header(resp3_ ? '%' : '*', static_cast<int64_t>(resp3_ ? n : n * 2));
}

void ReplyWriter::Set(size_t n) { Header(resp3_ ? '~' : '*', static_cast<int64_t>(n)); }

void ReplyWriter::Push(size_t n) { Header(resp3_ ? '>' : '*', static_cast<int64_t>(n)); }

void ReplyWriter::Attribute(size_t n) { Header('|', static_cast<int64_t>(n)); }

void ReplyWriter::Double(double value) {
  char digits[kMaxDoubleChars];
  const std::string_view text(digits, static_cast<size_t>(FormatDouble(digits, value) - digits));
  if (!resp3_) return Bulk(text);
  out_->push_back(',');
  out_->append(text);
  out_->append("\r\n", 2);
}

void ReplyWriter::HumanDouble(long double value) { Bulk(kiwi::HumanDouble(value)); }

void ReplyWriter::Bool(bool value) {
  if (resp3_) {
    out_->append(value ? "#t\r\n" : "#f\r\n");
  } else {
    out_->append(value ? ":1\r\n" : ":0\r\n");
  }
}

void ReplyWriter::BigNumber(std::string_view digits) {
  if (!resp3_) return Bulk(digits);
  out_->push_back('(');
  out_->append(digits);
  out_->append("\r\n", 2);
}

void ReplyWriter::Verbatim(std::string_view text, std::string_view format) {
  if (!resp3_) return Bulk(text);
  Header('=', static_cast<int64_t>(format.size() + 1 + text.size()));
  out_->append(format);
  out_->push_back(':');
  out_->append(text);
  out_->append("\r\n", 2);
}

}  // namespace kiwi::protocol
