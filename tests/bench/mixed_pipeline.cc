// One connection that keeps a pipeline of SETs, or of SET and GET by turns, in flight: what a
// reader behind its own connection's writes costs. Prints commands per second.
//
//   mixed_pipeline PORT set|mixed DEPTH COMMANDS
#include <hiredis/hiredis.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>

namespace {

constexpr int kKeys = 1000000;
constexpr int kValueBytes = 64;

struct Free {
  void operator()(redisContext* context) const { redisFree(context); }
};

std::string Bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

// The RESP bytes of one pipeline. Keys look like redis-benchmark's: key:000000123456.
std::string MakePipeline(int depth, bool mixed, std::mt19937* random) {
  const std::string value = Bulk(std::string(kValueBytes, 'x'));
  std::string out;
  for (int i = 0; i < depth; ++i) {
    char key[32];
    std::snprintf(key, sizeof(key), "key:%012d", static_cast<int>((*random)() % kKeys));
    if (mixed && i % 2 == 1) {
      out += "*2\r\n" + Bulk("GET") + Bulk(key);
    } else {
      out += "*3\r\n" + Bulk("SET") + Bulk(key) + value;
    }
  }
  return out;
}

// Sends `pipeline` and reads its replies; false at a connection's end or an error reply.
bool Exchange(redisContext* context, const std::string& pipeline, int depth) {
  if (redisAppendFormattedCommand(context, pipeline.data(), pipeline.size()) != REDIS_OK) {
    return false;
  }
  for (int i = 0; i < depth; ++i) {
    void* raw = nullptr;
    if (redisGetReply(context, &raw) != REDIS_OK) return false;
    auto* reply = static_cast<redisReply*>(raw);
    const bool failed = reply->type == REDIS_REPLY_ERROR;
    if (failed) std::fprintf(stderr, "%s\n", reply->str);
    freeReplyObject(reply);
    if (failed) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: mixed_pipeline PORT set|mixed DEPTH COMMANDS\n");
    return 2;
  }
  const int port = std::atoi(argv[1]);
  const bool mixed = std::string_view(argv[2]) == "mixed";
  const int depth = std::atoi(argv[3]);
  const int64_t commands = std::atoll(argv[4]);
  if (depth < 1) return 2;

  const std::unique_ptr<redisContext, Free> context(redisConnect("127.0.0.1", port));
  if (!context || context->err != 0) {
    std::fprintf(stderr, "no connection: %s\n", context ? context->errstr : "out of memory");
    return 1;
  }
  std::mt19937 random(1);  // NOLINT: the same keys for each server
  const auto start = std::chrono::steady_clock::now();
  int64_t sent = 0;
  for (; sent < commands; sent += depth) {
    if (!Exchange(context.get(), MakePipeline(depth, mixed, &random), depth)) {
      std::fprintf(stderr, "failed: %s\n", context->errstr);
      return 1;
    }
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  std::printf("%.0f\n", static_cast<double>(sent) / elapsed.count());
  return 0;
}
