#include "server/kserve/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(KserveAddressTest, ServerAndModelAreEnough) {
  const auto address = ParseKserveAddress("gpu-box.example.org:8001/cifar_net.v2");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->server, "gpu-box.example.org:8001");
  EXPECT_EQ(address->model, "cifar_net.v2");
  EXPECT_EQ(address->version, "");
  EXPECT_EQ(address->output, KserveAddress::Output::kLogits);
  EXPECT_EQ(address->deadline_ms, 5000);
  EXPECT_EQ(address->Url(), "kserve://gpu-box.example.org:8001/cifar_net.v2");
}

TEST(KserveAddressTest, VersionAndSettingsAreRead) {
  const auto address =
      ParseKserveAddress("[::1]:65535/net/17?deadline_ms=250&output=probabilities");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->server, "[::1]:65535");
  EXPECT_EQ(address->version, "17");
  EXPECT_EQ(address->output, KserveAddress::Output::kProbabilities);
  EXPECT_EQ(address->deadline_ms, 250);
  EXPECT_EQ(address->Url(), "kserve://[::1]:65535/net/17");
  EXPECT_EQ(ParseKserveAddress("h:1/m?output=logits")->output, KserveAddress::Output::kLogits);
}

TEST(KserveAddressTest, WhatIsWrongIsNamed) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "server \"\""},
      {"/net", "server \"\""},
      {"host/net", "server \"host\""},
      {"host:0/net", "server \"host:0\""},
      {"host:65536/net", "server \"host:65536\""},
      {"host:+1/net", "server \"host:+1\""},
      {"unix:/tmp/socket", "server \"unix:\""},
      {"::1:80/net", "server \"::1:80\""},
      {"host:1", "model \"\""},
      {"host:1/", "model \"\""},
      {"host:1/a b", "model \"a b\""},
      {"host:1/net/", "version \"\""},
      {"host:1/net/one", "version \"one\""},
      {"host:1/net/1/2", "version \"1\""},
      {"host:1/net?", "setting \"\""},
      {"host:1/net?output", "setting \"output\""},
      {"host:1/net?output=scores", "setting \"output=scores\""},
      {"host:1/net?deadline_ms=0", "setting \"deadline_ms=0\""},
      {"host:1/net?deadline_ms=600001", "setting \"deadline_ms=600001\""},
      {"host:1/net?deadline_ms=99999999999999999999",
       "setting \"deadline_ms=99999999999999999999\""},
      {"host:1/net?tls=yes", "setting \"tls=yes\""},
  };
  for (const auto& [text, part] : wrong) {
    const absl::Status status = ParseKserveAddress(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(std::string("address is \"") + text), HasSubstr(part),
                      HasSubstr("HOST:PORT/MODEL[/VERSION]")));
  }
}

}  // namespace
}  // namespace mixfeed
