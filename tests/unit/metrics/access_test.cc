#include "metrics/access.h"

#include <gtest/gtest.h>

namespace kiwi::metrics {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

TEST(Authorized, EverybodyMayAskWhereNothingIsSet) {
  EXPECT_TRUE(Authorized({}, ""));
  EXPECT_TRUE(Authorized({}, "Basic rubbish"));
}

TEST(Authorized, ATokenIsEnough) {
  const Credentials credentials{.token = "s3cret"};
  EXPECT_TRUE(Authorized(credentials, "Bearer s3cret"));
  EXPECT_TRUE(Authorized(credentials, "bearer  s3cret"));
  for (const char* wrong :
       {"", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crets", "Bearer s3creT", "s3cret",
        "Basic s3cret", "Digest s3cret", "Bearer s3crets3cret"}) {
    EXPECT_FALSE(Authorized(credentials, wrong)) << wrong;
  }
}

TEST(Authorized, UserAndPasswordInBase64) {
  const Credentials credentials{.user = "prometheus", .password = "pass:word"};
  EXPECT_TRUE(Authorized(credentials, "Basic cHJvbWV0aGV1czpwYXNzOndvcmQ="));
  EXPECT_TRUE(Authorized(credentials, "BASIC cHJvbWV0aGV1czpwYXNzOndvcmQ"));
  for (const char* wrong : {"Basic ", "Basic !!!!", "Basic cHJvbWV0aGV1czpwYXNzOndvcm0=",
                            "Basic cHJvbWV0aGV1cw==", "Bearer pass:word"}) {
    EXPECT_FALSE(Authorized(credentials, wrong)) << wrong;
  }
  EXPECT_FALSE(Authorized({.user = "prometheus", .token = "t"}, "Basic cHJvbWV0aGV1czo="))
      << "an empty password is none";
}

TEST(Addresses, OnlyLoopbackIsOutOfReach) {
  for (const char* inside : {"127.0.0.1", "127.3.2.1", "::1"}) {
    EXPECT_FALSE(ReachableFromOutside(inside)) << inside;
  }
  for (const char* outside :
       {"0.0.0.0", "10.0.0.1", "::", "fe80::1", "", "localhost", "128.0.0.1", "::ffff:10.0.0.1"}) {
    EXPECT_TRUE(ReachableFromOutside(outside)) << outside;
  }
}

TEST(RateLimitTest, LetsABurstThroughAndThenTheRate) {
  RateLimit limit(2);
  EXPECT_TRUE(limit.Take(5 * kSecondNs));
  EXPECT_TRUE(limit.Take(5 * kSecondNs));
  EXPECT_FALSE(limit.Take(5 * kSecondNs));
  EXPECT_FALSE(limit.Take(5 * kSecondNs + kSecondNs / 4));
  EXPECT_TRUE(limit.Take(5 * kSecondNs + kSecondNs / 2));
  EXPECT_FALSE(limit.Take(5 * kSecondNs + kSecondNs / 2));
  EXPECT_TRUE(limit.Take(100 * kSecondNs));
  EXPECT_TRUE(limit.Take(100 * kSecondNs));
  EXPECT_FALSE(limit.Take(100 * kSecondNs)) << "a long silence saves up no more than one burst";
}

TEST(RateLimitTest, ZeroIsNoLimit) {
  RateLimit limit(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.Take(0));
}

}  // namespace
}  // namespace kiwi::metrics
