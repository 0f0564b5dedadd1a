#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

// Two authorities, and a certificate for 127.0.0.1 of each, made with the openssl program.
class TlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    files_ = new TempDir;
    MakeAuthority("ca");
    MakeCertificate("server", "ca");
    MakeCertificate("client", "ca");
    MakeAuthority("foreign");
    MakeCertificate("stranger", "foreign");
  }
  static void TearDownTestSuite() {
    delete files_;
    files_ = nullptr;
  }

  static std::string File(const std::string& name) { return files_->File(name); }

  static void Run(const std::string& command) {
    const std::string quiet = "cd " + files_->path() + " && " + command + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(quiet.c_str()), 0) << command;  // NOLINT(concurrency-mt-unsafe)
  }
  static void MakeAuthority(const std::string& name) {
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" +
        name + " -keyout " + name + ".key -out " + name + ".pem");
  }
  static void MakeCertificate(const std::string& name, const std::string& authority) {
    std::ofstream(File(name + ".ext")) << "subjectAltName=IP:127.0.0.1\n";
    Run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name +
        " -keyout " + name + ".key -out " + name + ".csr && openssl x509 -req -days 2 -in " + name +
        ".csr -CA " + authority + ".pem -CAkey " + authority + ".key -CAcreateserial -extfile " +
        name + ".ext -out " + name + ".pem");
  }

  static TestServer StartServer(bool mutual) {
    return TestServer([mutual](ServerOptions* options) {
      options->tls_cert = File("server.pem");
      options->tls_key = File("server.key");
      if (mutual) options->tls_client_ca = File("ca.pem");
    });
  }

  static Stubs Connect(const TestServer& server, const std::string& authority,
                       const std::string& own = "") {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ReadBytes(File(authority + ".pem"));
    if (!own.empty()) {
      options.pem_cert_chain = ReadBytes(File(own + ".pem"));
      options.pem_private_key = ReadBytes(File(own + ".key"));
    }
    return Stubs(server.address(), grpc::SslCredentials(options));
  }

  static StatusCode CodeOf(const Stubs& stubs) {
    grpc::Status status;
    Call(stubs.inspect.get(), &v1::InspectService::Stub::GetServerInfo, v1::GetServerInfoRequest(),
         &status);
    return status.error_code();
  }

  static TempDir* files_;
};
TempDir* TlsTest::files_ = nullptr;

TEST_F(TlsTest, ClientThatTrustsTheAuthorityIsServed) {
  const TestServer server = StartServer(/*mutual=*/false);
  const Stubs stubs = Connect(server, "ca");
  const std::string id = Open(stubs, TinySpec("mixup")).feed_id();
  EXPECT_EQ(GetBatch(stubs, id, 0).header().rows(), 8u);
}

TEST_F(TlsTest, OthersAreNot) {
  const TestServer server = StartServer(/*mutual=*/false);
  EXPECT_EQ(CodeOf(Connect(server, "foreign")), StatusCode::UNAVAILABLE);
  EXPECT_EQ(CodeOf(Stubs(server.address())), StatusCode::UNAVAILABLE);  // plain text
}

TEST_F(TlsTest, MutualTlsWantsACertificateOfItsAuthority) {
  const TestServer server = StartServer(/*mutual=*/true);
  EXPECT_EQ(CodeOf(Connect(server, "ca", "client")), StatusCode::OK);
  EXPECT_EQ(CodeOf(Connect(server, "ca")), StatusCode::UNAVAILABLE);
  EXPECT_EQ(CodeOf(Connect(server, "ca", "stranger")), StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, PublicAddressWithTlsNeedsNoInsecureFlag) {
  TestServer server([](ServerOptions* options) {
    options->listen = "0.0.0.0:0";
    options->tls_cert = File("server.pem");
    options->tls_key = File("server.key");
  });
  EXPECT_GT(server.server()->port(), 0);
}

TEST_F(TlsTest, UnusableFilesAreToldBeforeListening) {
  TestServer plain;
  ServerOptions options = *plain.options();
  options.listen = "127.0.0.1:0";
  options.state_dir.clear();
  const auto start = [&](const std::string& cert, const std::string& key) {
    options.tls_cert = cert;
    options.tls_key = key;
    return Server::Start(options).status();
  };
  EXPECT_THAT(start("/no/such.pem", File("server.key")).ToString(),
              ::testing::HasSubstr("--tls-cert: /no/such.pem"));
  EXPECT_THAT(
      start(File("server.pem"), File("server.ext")).ToString(),
      ::testing::AllOf(::testing::HasSubstr("--tls-key"), ::testing::HasSubstr("is no PEM file")));
  const absl::Status mismatch = start(File("server.pem"), File("client.key"));
  EXPECT_EQ(mismatch.code(), absl::StatusCode::kFailedPrecondition) << mismatch;
}

}  // namespace
}  // namespace mixfeed
