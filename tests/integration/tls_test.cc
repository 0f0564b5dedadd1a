// The real program and the real server over TLS.

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/integration/feed_fixture.h"

namespace mixfeed::testing {
namespace {

// A self-signed certificate for 127.0.0.1 is server, client and authority at once.
class TlsTest : public FeedTest {
 protected:
  void SetUp() override {
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mixfeed "
        "-addext subjectAltName=IP:127.0.0.1 -keyout " +
        key_ + " -out " + cert_ + " 2>/dev/null";
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the test has one thread here
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "there is no openssl program";
  }

  // The exit code of `mixfeed info` with these flags.
  static int Info(const ServerProcess& server, const std::vector<std::string>& flags) {
    std::vector<std::string> args = {"info", "--json", "--server", server.address()};
    args.insert(args.end(), flags.begin(), flags.end());
    ChildProcess info(MIXFEED_CLI_PROGRAM, args);
    const bool answered = !info.ReadLine().empty();
    // 0 is no signal: it only waits for the end, of which the answer was the last line.
    const int code = ExitCode(info.End(/*signal=*/0));
    EXPECT_EQ(answered, code == 0);
    return code;
  }

  // Like Info. A client that is refused in the handshake tries again until its wait is over.
  static int InfoInVain(const ServerProcess& server, std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--wait", "0.5"});
    return Info(server, flags);
  }

  const std::string cert_ = dir().File("cert.pem");
  const std::string key_ = dir().File("key.pem");
};

TEST_F(TlsTest, AClientThatTrustsTheServersAuthorityIsServed) {
  const auto server = StartServer("a", {"--tls-cert", cert_, "--tls-key", key_});
  EXPECT_EQ(Info(*server, {"--tls-ca", cert_}), 0);
  EXPECT_EQ(InfoInVain(*server, {}), 1) << "in plain text";
  EXPECT_EQ(InfoInVain(*server, {"--tls"}), 1) << "trusting the system's authorities";
}

TEST_F(TlsTest, AServerThatAsksForACertificateRefusesAClientWithoutOne) {
  const auto server =
      StartServer("a", {"--tls-cert", cert_, "--tls-key", key_, "--tls-client-ca", cert_});
  EXPECT_EQ(Info(*server, {"--tls-ca", cert_, "--tls-cert", cert_, "--tls-key", key_}), 0);
  EXPECT_EQ(InfoInVain(*server, {"--tls-ca", cert_}), 1);
}

}  // namespace
}  // namespace mixfeed::testing
