#include "server/metrics/metrics_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/http_get.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// One number, which grows with every request.
MetricsServer::Collect Counting() {
  return [count = std::make_shared<std::atomic<int>>(0)] {
    prometheus::ClientMetric metric;
    metric.counter.value = ++*count;
    return std::vector<prometheus::MetricFamily>{
        {"asked_total", "How often.", prometheus::MetricType::Counter, {metric}}};
  };
}

TEST(MetricsServerTest, AnswersEveryRequestWithTheNumbersOfNow) {
  const auto server = MetricsServer::Start("127.0.0.1:0", Counting());
  ASSERT_TRUE(server.ok()) << server.status();
  for (const int asked : {1, 2}) {
    const std::string answer = testing::HttpGet((*server)->port(), "/metrics");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain"));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));  // an idle one would hold a thread
    EXPECT_THAT(answer, HasSubstr("# HELP asked_total How often.\n# TYPE asked_total counter\n"));
    EXPECT_THAT(answer, HasSubstr(absl::StrCat("\nasked_total ", asked)));
  }
  EXPECT_THAT(testing::HttpGet((*server)->port(), "/elsewhere"), StartsWith("HTTP/1.1 404"));
}

TEST(MetricsServerTest, AnAddressThatCannotBeBoundIsNamed) {
  const auto first = MetricsServer::Start("127.0.0.1:0", Counting());
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string taken = absl::StrCat("127.0.0.1:", (*first)->port());
  for (const std::string& address : {taken, std::string("192.0.2.1:0")}) {
    const auto status = MetricsServer::Start(address, Counting()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << address;
    EXPECT_THAT(std::string(status.message()),
                StartsWith(absl::StrCat("--metrics ", address, ": cannot be")));
  }
}

TEST(MetricsServerTest, TextThatIsNoAddressIsRefused) {
  const auto status = MetricsServer::Start("9464", Counting()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              StartsWith("--metrics is \"9464\"; allowed: HOST:PORT"));
}

bool HasIpv6() {
  const int socket = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound =
      socket >= 0 && bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(socket);
  return bound;
}

TEST(MetricsServerTest, ListensOnIpv6) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no [::1]";
  const auto server = MetricsServer::Start("[::1]:0", Counting());
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_GT((*server)->port(), 0);
}

}  // namespace
}  // namespace mixfeed
