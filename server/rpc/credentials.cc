#include "server/rpc/credentials.h"

#include <grpcpp/security/server_credentials.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/pool/file_io.h"

namespace mixfeed {
namespace {

absl::StatusOr<std::string> ReadPem(const char* flag, const std::string& path) {
  const absl::StatusOr<std::vector<uint8_t>> bytes = ReadWholeFile(path);
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": ", std::string(bytes.status().message())));
  }
  std::string text(bytes->begin(), bytes->end());
  if (text.find("-----BEGIN ") != text.npos) return text;
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": ", path, " is no PEM file: it has no \"-----BEGIN\" line"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(
    const ServerOptions& options) {
  if (options.tls_cert.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions tls;
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  MIXFEED_ASSIGN_OR_RETURN(pair.cert_chain, ReadPem("--tls-cert", options.tls_cert));
  MIXFEED_ASSIGN_OR_RETURN(pair.private_key, ReadPem("--tls-key", options.tls_key));
  tls.pem_key_cert_pairs.push_back(std::move(pair));
  if (!options.tls_client_ca.empty()) {
    MIXFEED_ASSIGN_OR_RETURN(tls.pem_root_certs, ReadPem("--tls-client-ca", options.tls_client_ca));
    tls.client_certificate_request = GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return grpc::SslServerCredentials(tls);
}

}  // namespace mixfeed
