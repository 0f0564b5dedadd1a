#ifndef MIXFEED_SERVER_RPC_PARSE_H_
#define MIXFEED_SERVER_RPC_PARSE_H_

#include "absl/status/status.h"

namespace google::protobuf {
class Message;
}
namespace grpc {
class ByteBuffer;
}

namespace mixfeed {

// Parses the request of a raw method. InvalidArgument for bytes that are no such message.
absl::Status ParseRequest(const grpc::ByteBuffer& bytes, google::protobuf::Message* request);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_PARSE_H_
