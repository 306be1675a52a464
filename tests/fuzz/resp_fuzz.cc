// Any byte stream gives the same requests and the same error however it is cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/request_parser.h"

namespace {

using kiwi::protocol::ParserLimits;
using kiwi::protocol::ParseStatus;
using kiwi::protocol::RequestParser;

struct Outcome {
  std::vector<std::string> args;  // of all requests; each request ends with an empty marker
  std::string error;
  bool operator==(const Outcome&) const = default;
};

// Feeds the stream as a connection does: bytes of an unfinished request are passed again with more
// behind them. step(at): how many bytes the next read brings.
template <typename Step>
Outcome Parse(std::string_view stream, const ParserLimits& limits, Step step) {
  Outcome outcome;
  RequestParser parser;
  std::string buffer;
  std::vector<std::string_view> args;
  size_t at = 0;
  while (at < stream.size()) {
    const size_t take = std::min(step(at), stream.size() - at);
    buffer.append(stream.substr(at, take));
    at += take;
    while (true) {
      size_t consumed = 0;
      args.clear();
      const ParseStatus status = parser.Next(buffer, limits, &args, &consumed);
      if (consumed > buffer.size()) std::abort();
      if (status == ParseStatus::kError) {
        outcome.error = parser.error();
        if (outcome.error.empty() || !args.empty()) std::abort();
        return outcome;
      }
      if (status == ParseStatus::kRequest) {
        if (args.empty()) std::abort();
        for (std::string_view arg : args) outcome.args.emplace_back(arg);
        outcome.args.emplace_back("\n--\n");
      }
      buffer.erase(0, consumed);
      if (status == ParseStatus::kNeedMore) break;
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t stride = 1 + data[0] % 17;
  ParserLimits limits;
  limits.max_bulk_bytes = 4096;
  limits.max_inline_bytes = 256;
  limits.authenticated = (data[1] & 1) != 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = Parse(stream, limits, [&](size_t) { return stream.size(); });
  const Outcome cut = Parse(stream, limits, [&](size_t at) { return 1 + (at * 7 + 3) % stride; });
  if (!(whole == cut)) std::abort();
  return 0;
}
