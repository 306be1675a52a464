#include "metrics/http_endpoint.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

namespace kiwi::metrics {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Wire {
 public:
  explicit Wire(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Wire() { close(fd_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void Send(std::string_view text) { (void)!send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  std::string ReadAll() {
    std::string all;
    char buffer[4096];
    for (ssize_t n = 0; (n = recv(fd_, buffer, sizeof(buffer), 0)) > 0;) {
      all.append(buffer, static_cast<size_t>(n));
    }
    return all;
  }

 private:
  const int fd_;
};

class HttpEndpointTest : public testing::Test {
 protected:
  void Start(HttpOptions options) {
    endpoint_ = std::make_unique<HttpEndpoint>(
        std::move(options),
        std::vector<HttpEndpoint::Route>{
            {"/metrics", [] { return HttpAnswer{.body = "kiwi_up 1\n"}; }},
            {"/health", [] { return HttpAnswer{.status = 503, .body = "no leader\n"}; }}},
        &SystemClock());
    const Status status = endpoint_->Start();
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  std::string Ask(std::string_view request) {
    Wire wire(endpoint_->port());
    wire.Send(request);
    return wire.ReadAll();
  }
  std::string Get(const std::string& path, const std::string& headers = "") {
    return Ask("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  }

  std::unique_ptr<HttpEndpoint> endpoint_;
};

TEST_F(HttpEndpointTest, AnswersItsPathsAndNothingElse) {
  Start({});
  const std::string answer = Get("/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 10\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nkiwi_up 1\n"));
  EXPECT_THAT(Get("/metrics?x=1"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/health"), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  for (const char* path :
       {"/", "/metrics/", "/etc/passwd", "/../../etc/passwd", "/metrics/%2e%2e"}) {
    EXPECT_THAT(Get(path), testing::Not(HasSubstr(" 200 "))) << path;
  }
}

TEST_F(HttpEndpointTest, HeadHasNoBodyAndOtherMethodsAreRefused) {
  Start({});
  const std::string head = Ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 10\r\n"));
  EXPECT_THAT(head, testing::EndsWith("\r\n\r\n"));
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"}) {
    EXPECT_THAT(Ask(std::string(method) + " /metrics HTTP/1.1\r\nHost: x\r\n"
                                          "Content-Length: 0\r\n\r\n"),
                StartsWith("HTTP/1.1 405 "))
        << method;
  }
}

TEST_F(HttpEndpointTest, AsksForCredentials) {
  Start({.credentials = {.token = "t0ken"}});
  EXPECT_THAT(Get("/metrics"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Get("/health"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Get("/metrics", "Authorization: Bearer wrong\r\n"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Get("/metrics", "Authorization: Bearer t0ken\r\n"), StartsWith("HTTP/1.1 200 "));
  ASSERT_TRUE(endpoint_->SetCredentials({.token = "other"}).ok());
  EXPECT_THAT(Get("/metrics", "Authorization: Bearer t0ken\r\n"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Get("/metrics", "Authorization: Bearer other\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(endpoint_->stats().unauthorized, 4U);
}

TEST_F(HttpEndpointTest, StrangersDoNotUseUpTheShareOfOthers) {
  Start({.credentials = {.token = "t0ken"}, .requests_per_second = 1});
  EXPECT_THAT(Get("/metrics"), StartsWith("HTTP/1.1 401 "));
  std::string answer;
  for (int i = 0; i < 20 && answer.find(" 429 ") == std::string::npos; ++i) {
    answer = Get("/metrics");
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
  EXPECT_THAT(Get("/metrics", "Authorization: Bearer t0ken\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpEndpointTest, OffLoopbackItDoesNotStartWithoutCredentials) {
  const auto start = [](HttpOptions options) {
    return HttpEndpoint(std::move(options), {}, &SystemClock()).Start();
  };
  for (const char* bind : {"0.0.0.0", "192.0.2.1"}) {
    const Status status = start({.bind = bind});
    EXPECT_EQ(status.code(), StatusCode::kConfig) << bind;
    EXPECT_THAT(std::string(status.message()), HasSubstr("metrics.password"));
  }
  for (const char* bind : {"::1", "localhost", "", "127.0.0.1,0.0.0.0", "127.0.0.1:80,0.0.0.0"}) {
    const Status status = start({.bind = bind, .credentials = {.token = "t"}});
    EXPECT_EQ(status.code(), StatusCode::kConfig) << bind;
    EXPECT_THAT(std::string(status.message()), HasSubstr("IPv4")) << bind;
  }
  Start({});
  EXPECT_EQ(start({.port = endpoint_->port()}).code(), StatusCode::kNetwork) << "in use";
}

TEST_F(HttpEndpointTest, RubbishAndSilenceHurtNobody) {
  Start({.requests_per_second = 0, .threads = 2, .timeout_ms = 200});
  for (const std::string& rubbish :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string(3, '\0'),
        std::string("GET /metrics HTTP/9.9\r\n\r\n"), std::string(100'000, 'x'),
        "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\n" + std::string(500, 'h') + "\r\n\r\n",
        std::string("GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n")}) {
    (void)Ask(rubbish);
  }
  std::vector<std::unique_ptr<Wire>> silent;
  for (int i = 0; i < 8; ++i) {
    silent.push_back(std::make_unique<Wire>(endpoint_->port()));
    silent.back()->Send("GET /metr");
  }
  EXPECT_THAT(Get("/metrics"), StartsWith("HTTP/1.1 200 ")) << "once the silent ones are late";
}

}  // namespace
}  // namespace kiwi::metrics
