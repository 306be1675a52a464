// What the load clients share: time, keys, sockets on loopback, percentiles. A client is one thread
// of a process of its own that ends at the first thing that is not as it should be.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::bench {

using Clock = std::chrono::steady_clock;

inline constexpr uint32_t kKeys = 1000000;
inline constexpr size_t kValueBytes = 64;

[[noreturn]] inline void Fail(const std::string& what) {
  std::fprintf(stderr, "load client: %s\n", what.c_str());
  std::exit(1);
}

// Named as redis-benchmark names its keys; the same ones in each run.
inline std::string RandomKey(uint32_t keys = kKeys) {
  static std::mt19937 random(1);  // NOLINT: the same keys for each system
  std::array<char, 24> key{};
  std::snprintf(key.data(), key.size(), "key:%012u", static_cast<unsigned>(random() % keys));
  return key.data();
}

inline void AppendBulk(std::string_view text, std::string* out) {
  *out += "$" + std::to_string(text.size()) + "\r\n";
  out->append(text).append("\r\n");
}

// Blocking, without delay of small packets.
inline int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("no connection to port " + std::to_string(port));
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

// In ms; reorders them. 0 if there are none.
inline double PercentileMs(std::vector<uint32_t>* micros, double share) {
  if (micros->empty()) return 0;
  const auto at =
      micros->begin() + static_cast<int64_t>(share * static_cast<double>(micros->size() - 1));
  std::nth_element(micros->begin(), at, micros->end());
  return *at / 1000.0;
}

}  // namespace kiwi::bench
