// Writes replies in RESP2 or RESP3. Every call appends one value to the buffer; aggregates announce
// how many values follow (a map of n announces n pairs).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi::protocol {

// Not thread-safe. The buffer outlives the writer.
class ReplyWriter {
 public:
  ReplyWriter(std::string* out, int resp_version) : out_(out), resp3_(resp_version == 3) {}

  bool resp3() const { return resp3_; }
  void set_resp_version(int version) { resp3_ = version == 3; }
  std::string& buffer() { return *out_; }

  void Simple(std::string_view text);  // +OK
  void Ok() { out_->append("+OK\r\n"); }
  // text begins with its code: "ERR syntax error", "WRONGTYPE …". CR and LF in it become spaces.
  void Error(std::string_view text);
  void Integer(int64_t value);
  void Bulk(std::string_view bytes);
  // A bulk string in parts: its size, then as many bytes appended to the buffer, then its end.
  void BulkHeader(size_t size) { Header('$', static_cast<int64_t>(size)); }
  void BulkEnd() { out_->append("\r\n"); }
  void BulkInteger(int64_t value);  // the digits as a bulk string
  void Null();                      // RESP2 "$-1", RESP3 "_"
  void NullArray();                 // RESP2 "*-1", RESP3 "_"
  void Array(size_t n);
  void Map(size_t n);                       // RESP2: an array of 2n
  void Set(size_t n);                       // RESP2: an array
  void Push(size_t n);                      // RESP2: an array
  void Attribute(size_t n);                 // RESP3 only
  void Double(double value);                // RESP2: a bulk string, "%.17g" as Redis prints it
  void HumanDouble(long double value);      // as INCRBYFLOAT prints: fixed notation, bulk
  void Bool(bool value);                    // RESP2: 1 or 0
  void BigNumber(std::string_view digits);  // RESP2: a bulk string
  void Verbatim(std::string_view text, std::string_view format = "txt");  // RESP2: a bulk string

 private:
  void Header(char type, int64_t value);

  std::string* out_;
  bool resp3_;
};

}  // namespace kiwi::protocol
