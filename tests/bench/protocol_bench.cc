// What the parser and the writer add to each command, without a socket.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/reply_writer.h"
#include "protocol/request_parser.h"

namespace kiwi::protocol {
namespace {

std::string Pipeline(int depth, size_t value_bytes) {
  const std::string value(value_bytes, 'v');
  std::string request = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$";
  request += std::to_string(value_bytes) + "\r\n" + value + "\r\n";
  std::string all;
  for (int i = 0; i < depth; ++i) all += request;
  return all;
}

void ParseAll(std::string_view rest, RequestParser* parser, std::vector<std::string_view>* args) {
  const ParserLimits limits;
  size_t consumed = 0;
  while (parser->Next(rest, limits, args, &consumed) == ParseStatus::kRequest) {
    rest.remove_prefix(consumed);
  }
}

void BM_ParsePipelinedSet(benchmark::State& state) {
  std::string input = Pipeline(static_cast<int>(state.range(0)), 64);
  RequestParser parser;
  std::vector<std::string_view> args;
  for (auto _ : state) {
    args.clear();
    ParseAll(input, &parser, &args);
    benchmark::DoNotOptimize(args.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ParsePipelinedSet)->Arg(1)->Arg(16)->Arg(128);

void BM_ParseInlineGet(benchmark::State& state) {
  std::string input = "GET key:000000012345\r\n";
  RequestParser parser;
  std::vector<std::string_view> args;
  for (auto _ : state) {
    args.clear();
    ParseAll(input, &parser, &args);
    benchmark::DoNotOptimize(args.data());
  }
}
BENCHMARK(BM_ParseInlineGet);

// One 16 MB value in pieces of 16 KiB.
void BM_ParseLargeValueInPieces(benchmark::State& state) {
  constexpr size_t kPiece = 16 << 10;
  std::string input = Pipeline(1, 16 << 20);
  const ParserLimits limits;
  RequestParser parser;
  std::vector<std::string_view> args;
  for (auto _ : state) {
    args.clear();
    size_t consumed = 0;
    for (size_t have = kPiece; consumed == 0; have += kPiece) {
      parser.Next(std::string_view(input).substr(0, have), limits, &args, &consumed);
    }
    benchmark::DoNotOptimize(args.data());
  }
}
BENCHMARK(BM_ParseLargeValueInPieces);

template <typename Write>
void WriteMany(benchmark::State& state, Write write) {
  std::string out;
  ReplyWriter writer(&out, 2);
  for (auto _ : state) {
    if (out.size() > 16 << 10) out.clear();
    write(writer);
    benchmark::ClobberMemory();
  }
}

void BM_WriteOk(benchmark::State& state) {
  WriteMany(state, [](ReplyWriter& w) { w.Ok(); });
}
BENCHMARK(BM_WriteOk);

void BM_WriteBulk(benchmark::State& state) {
  const std::string value(static_cast<size_t>(state.range(0)), 'v');
  WriteMany(state, [&](ReplyWriter& w) { w.Bulk(value); });
}
BENCHMARK(BM_WriteBulk)->Arg(3)->Arg(64)->Arg(1024);

void BM_WriteInteger(benchmark::State& state) {
  WriteMany(state, [&](ReplyWriter& w) { w.Integer(state.range(0)); });
}
BENCHMARK(BM_WriteInteger)->Arg(1)->Arg(1234567);

void BM_WriteDouble(benchmark::State& state) {
  WriteMany(state, [](ReplyWriter& w) { w.Double(3.14159); });
}
BENCHMARK(BM_WriteDouble);

}  // namespace
}  // namespace kiwi::protocol
