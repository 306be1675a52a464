#include "metrics/http_endpoint.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"

namespace kiwi::metrics {
namespace {

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

std::string_view ExtraHeaders(int status) {
  switch (status) {
    case 401:
      return "WWW-Authenticate: Basic realm=\"kiwi\"\r\n";
    case 405:
      return "Allow: GET, HEAD\r\n";
    case 429:
      return "Retry-After: 1\r\n";
    default:
      return "";
  }
}

void Send(mg_connection* connection, const HttpAnswer& answer, bool head) {
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " ";
  text += Reason(answer.status);
  text += "\r\nContent-Type: " + answer.content_type +
          "\r\nContent-Length: " + std::to_string(answer.body.size()) +
          "\r\nCache-Control: no-store\r\nConnection: close\r\n";
  text += ExtraHeaders(answer.status);
  text += "\r\n";
  if (!head) text += answer.body;
  mg_write(connection, text.data(), text.size());
}

// Connects to the own port and hangs up.
void Knock(const std::string& bind, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, bind.c_str(), &address.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  (void)connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  close(fd);
}

Status CheckBindOf(const std::string& bind, const Credentials& credentials) {
  in_addr address{};
  if (inet_pton(AF_INET, bind.c_str(), &address) != 1) {
    return {StatusCode::kConfig, "metrics.bind " + bind + " is no IPv4 address, such as 127.0.0.1"};
  }
  if (!credentials.empty() || !ReachableFromOutside(bind)) return {};
  return {StatusCode::kConfig,
          "metrics.bind " + bind +
              " can be reached from other machines: set metrics.password or metrics.token, or bind "
              "to 127.0.0.1"};
}

}  // namespace

Status CheckBind(const HttpOptions& options) {
  return CheckBindOf(options.bind, options.credentials);
}

struct HttpEndpoint::Impl {
  Impl(HttpOptions o, std::vector<Route> r, Clock* c)
      : options(std::move(o)),
        routes(std::move(r)),
        clock(c),
        credentials(options.credentials),
        known(options.requests_per_second),
        strangers(options.requests_per_second) {}

  static int OnRequest(mg_connection* connection);
  static int OnError(mg_connection* connection, int status, const char* message);
  static int OnLog(const mg_connection* connection, const char* message);
  HttpAnswer Answer(const mg_request_info& request, std::string_view authorization)
      KIWI_EXCLUDES(mu, answer_mu);
  int Admit(std::string_view authorization) KIWI_EXCLUDES(mu);

  const HttpOptions options;
  const std::vector<Route> routes;
  Clock* const clock;
  mg_context* context = nullptr;

  Mutex mu;
  Credentials credentials KIWI_GUARDED_BY(mu);
  RateLimit known KIWI_GUARDED_BY(mu);
  RateLimit strangers KIWI_GUARDED_BY(mu);
  HttpStats stats KIWI_GUARDED_BY(mu);
  Mutex answer_mu;  // one answer is made at a time
};

// What civetweb itself refuses, such as a malformed request. Its own page calls gmtime(), which two
// threads may not.
int HttpEndpoint::Impl::OnError(mg_connection* connection, int status, const char*) {
  Send(connection, {.status = status, .body = std::string(Reason(status)) + "\n"}, false);
  return 0;
}

int HttpEndpoint::Impl::OnLog(const mg_connection*, const char* message) {
  KIWI_LOG(kDebug, "metrics http: {}", message);
  return 1;
}

// 200, or what the request is refused with. Strangers have a limit of their own, so that they
// cannot use up the share of those who may ask.
int HttpEndpoint::Impl::Admit(std::string_view authorization) {
  MutexLock lock(mu);
  const bool authorized = Authorized(credentials, authorization);
  const int64_t now_ns = clock->MonotonicNs();
  if (!(authorized ? known : strangers).Take(now_ns)) {
    ++stats.limited;
    return 429;
  }
  if (!authorized) {
    ++stats.unauthorized;
    return 401;
  }
  return 200;
}

HttpAnswer HttpEndpoint::Impl::Answer(const mg_request_info& request,
                                      std::string_view authorization) {
  const auto refuse = [](int status, std::string_view why) {
    return HttpAnswer{.status = status, .body = std::string(why) + "\n"};
  };
  if (const int status = Admit(authorization); status == 429) {
    return refuse(status, "asked too often: see metrics.rate-limit");
  } else if (status == 401) {
    return refuse(status, "authentication required");
  }
  const std::string_view method = request.request_method;
  const std::string_view path = request.local_uri != nullptr ? request.local_uri : "";
  const auto route =
      std::find_if(routes.begin(), routes.end(), [path](const Route& r) { return r.path == path; });
  const bool allowed = method == "GET" || method == "HEAD";
  {
    MutexLock lock(mu);
    ++(allowed && route != routes.end() ? stats.answered : stats.refused);
  }
  if (!allowed) return refuse(405, "only GET and HEAD");
  if (route == routes.end()) {
    std::string paths = "no such path; there are";
    for (const Route& r : routes) paths += " " + r.path;
    return refuse(404, paths);
  }
  MutexLock lock(answer_mu);
  return route->answer();
}

int HttpEndpoint::Impl::OnRequest(mg_connection* connection) {
  const mg_request_info* const request = mg_get_request_info(connection);
  auto* const self = static_cast<Impl*>(request->user_data);
  const char* const authorization = mg_get_header(connection, "Authorization");
  const HttpAnswer answer =
      self->Answer(*request, authorization != nullptr ? authorization : std::string_view());
  Send(connection, answer, std::string_view(request->request_method) == "HEAD");
  return answer.status;  // not 0: nothing is left for civetweb to serve
}

HttpEndpoint::HttpEndpoint(HttpOptions options, std::vector<Route> routes, Clock* clock)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(routes), clock)) {}

HttpEndpoint::~HttpEndpoint() { Stop(); }

Status HttpEndpoint::Start() {
  const HttpOptions& options = impl_->options;
  KIWI_RETURN_IF_ERROR(CheckBind(options));
  const std::string address = options.bind + ":" + std::to_string(options.port);
  const std::string threads = std::to_string(options.threads);
  const std::string timeout = std::to_string(options.timeout_ms);
  const char* const settings[] = {"listening_ports",
                                  address.c_str(),
                                  "num_threads",
                                  threads.c_str(),
                                  "request_timeout_ms",
                                  timeout.c_str(),
                                  "max_request_size",
                                  "8192",
                                  "enable_keep_alive",
                                  "no",
                                  "enable_directory_listing",
                                  "no",
                                  nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = &Impl::OnRequest;
  callbacks.http_error = &Impl::OnError;
  callbacks.log_message = &Impl::OnLog;
  mg_init_library(0);
  impl_->context = mg_start(&callbacks, impl_.get(), const_cast<const char**>(settings));
  if (impl_->context == nullptr) {
    mg_exit_library();
    return {StatusCode::kNetwork, "cannot serve metrics on " + address +
                                      ": in use, or no address of this machine (metrics.bind, "
                                      "metrics.port)"};
  }
  return {};
}

void HttpEndpoint::Stop() {
  if (impl_->context == nullptr) return;
  // civetweb's accepting thread looks only every two seconds whether it is to end, or when somebody
  // connects.
  std::atomic<bool> stopped{false};
  std::thread knocking([this, own_port = port(), &stopped] {
    while (!stopped.load()) {
      Knock(impl_->options.bind, own_port);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  mg_stop(impl_->context);
  stopped = true;
  knocking.join();
  impl_->context = nullptr;
  mg_exit_library();
}

int HttpEndpoint::port() const {
  mg_server_port ports[1] = {};
  if (impl_->context == nullptr || mg_get_server_ports(impl_->context, 1, ports) < 1) return 0;
  return ports[0].port;
}

void HttpEndpoint::SetRate(int64_t requests_per_second) {
  MutexLock lock(impl_->mu);
  impl_->known.SetRate(requests_per_second);
  impl_->strangers.SetRate(requests_per_second);
}

Status HttpEndpoint::SetCredentials(Credentials credentials) {
  KIWI_RETURN_IF_ERROR(CheckBindOf(impl_->options.bind, credentials));
  MutexLock lock(impl_->mu);
  impl_->credentials = std::move(credentials);
  return {};
}

HttpStats HttpEndpoint::stats() const {
  MutexLock lock(impl_->mu);
  return impl_->stats;
}

}  // namespace kiwi::metrics
