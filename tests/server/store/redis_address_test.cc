#include "server/store/redis_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/augment/pool/status_matchers.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RedisAddressTest, ReadsAllParts) {
  const auto address = ParseRedisUrl("redis://me:s%40cret:%2f@box.example:6380/3");
  ASSERT_THAT(address, testing::IsOk());
  EXPECT_EQ(address->host, "box.example");
  EXPECT_EQ(address->port, 6380);
  EXPECT_EQ(address->user, "me");
  EXPECT_EQ(address->password, "s@cret:/");
  EXPECT_EQ(address->database, 3);
  EXPECT_EQ(address->Name(), "redis box.example:6380");
}

TEST(RedisAddressTest, UserPasswordAndDatabaseMayBeLeftOut) {
  const auto plain = ParseRedisUrl("redis://127.0.0.1:6379");
  ASSERT_THAT(plain, testing::IsOk());
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->user, "");
  EXPECT_EQ(plain->password, "");
  EXPECT_EQ(plain->database, 0);
  const auto password = ParseRedisUrl("redis://:secret@h:1");
  ASSERT_THAT(password, testing::IsOk());
  EXPECT_EQ(password->user, "");
  EXPECT_EQ(password->password, "secret");
}

TEST(RedisAddressTest, AnIpv6HostStandsInBrackets) {
  const auto address = ParseRedisUrl("redis://[::1]:6379/0");
  ASSERT_THAT(address, testing::IsOk());
  EXPECT_EQ(address->host, "::1");
  EXPECT_EQ(address->Name(), "redis [::1]:6379");
}

TEST(RedisAddressTest, RefusesWhatIsNoSuchUrl) {
  for (const char* url :
       {"", "redis://", "localhost:6379", "http://h:1", "redis://h", "redis://h:0",
        "redis://h:65536", "redis://h:x", "redis://:6379", "redis://::1:6379", "redis://h:1/",
        "redis://h:1/-1", "redis://h:1/x", "redis://user@h:1", "redis://user:@h:1",
        "redis://:a%4@h:1", "redis://:%zz@h:1"}) {
    EXPECT_THAT(ParseRedisUrl(url),
                testing::FailsWith(absl::StatusCode::kInvalidArgument,
                                   "allowed: redis://[[USER]:PASSWORD@]HOST:PORT[/DB]"))
        << url;
  }
}

TEST(RedisAddressTest, AnErrorShowsNoPassword) {
  const std::string message(ParseRedisUrl("redis://me:secret@h:0").status().message());
  EXPECT_THAT(message, Not(HasSubstr("secret")));
  EXPECT_THAT(message, HasSubstr("...@h:0"));
}

}  // namespace
}  // namespace mixfeed
