// Who may ask, and how often.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi::metrics {

// What a request must carry in its Authorization header: "Bearer <token>", or "Basic …" with the
// user and the password. Either is enough if both are set. Nothing set: everybody may ask.
struct Credentials {
  std::string user;
  std::string password;  // empty: no basic authentication
  std::string token;     // empty: no bearer token
  bool empty() const { return password.empty() && token.empty(); }
};

// header: its value, empty if the request has none. Secrets are compared in constant time.
bool Authorized(const Credentials& credentials, std::string_view header);

// False only for addresses that no other machine can reach: 127.0.0.0/8 and ::1.
bool ReachableFromOutside(std::string_view numeric_address);

// At most `per_second` on average, and as many at once. Not thread-safe.
class RateLimit {
 public:
  explicit RateLimit(int64_t per_second) : per_second_(per_second) {}
  void SetRate(int64_t per_second) { per_second_ = per_second; }
  // Takes one if there is one. now_ns never runs backwards.
  bool Take(int64_t now_ns);

 private:
  int64_t per_second_;  // 0: no limit
  bool begun_ = false;
  int64_t filled_at_ns_ = 0;
  double tokens_ = 0;
};

}  // namespace kiwi::metrics
