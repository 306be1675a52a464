// A small HTTP server for figures, on civetweb: fixed paths, GET and HEAD alone, a bound number of
// threads of its own. Nothing here ever runs on a thread that serves clients of the database.
//
// What a hostile client can do is bounded: a request of more than 8 KiB, or one that takes longer
// than the time-out, ends its connection; each connection carries one request; no file of the disk is
// ever served; what is asked more often than the rate limit allows is answered 429 without any work.
// While all threads wait for slow clients, others wait in the system's queue, and nobody else does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "metrics/access.h"

namespace kiwi::metrics {

struct HttpOptions {
  std::string bind = "127.0.0.1";    // IPv4, numeric: Debian's civetweb knows no other
  int port = 0;                      // 0: a free one, see port()
  Credentials credentials;           // must not be empty if bind is reachable from outside
  int64_t requests_per_second = 50;  // with the right credentials, and as many without; 0: no limit
  int threads = 2;
  int timeout_ms = 2000;
};

// kConfig: no such address, or others could reach it and there are no credentials. Start would refuse
// the same.
Status CheckBind(const HttpOptions& options);

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Totals, by answer.
struct HttpStats {
  uint64_t answered = 0;
  uint64_t unauthorized = 0;  // 401
  uint64_t limited = 0;       // 429
  uint64_t refused = 0;       // 404 and 405
};

// Thread-safe, except Start and Stop.
class HttpEndpoint {
 public:
  struct Route {
    std::string path;  // "/metrics"
    // On a thread of the endpoint, one call of all routes at a time.
    std::function<HttpAnswer()> answer;
  };

  // The clock outlives it.
  HttpEndpoint(HttpOptions options, std::vector<Route> routes, Clock* clock);
  ~HttpEndpoint();  // Stop()
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  // kConfig: no credentials, and others could reach it; kNetwork: the address cannot be listened on.
  Status Start();
  void Stop();  // waits for requests under way. Idempotent.
  int port() const;

  void SetRate(int64_t requests_per_second);
  // kConfig, and nothing changes: Start would refuse them.
  Status SetCredentials(Credentials credentials);
  HttpStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::metrics
