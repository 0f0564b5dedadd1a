#ifndef MIXFEED_SERVER_RPC_CREDENTIALS_H_
#define MIXFEED_SERVER_RPC_CREDENTIALS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/options.h"

namespace grpc {
class ServerCredentials;
}

namespace mixfeed {

// Plain text without options.tls_cert; TLS with it, and mutual TLS with options.tls_client_ca,
// which then every client must have a certificate of. Errors name the flag and the file.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(
    const ServerOptions& options);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_CREDENTIALS_H_
