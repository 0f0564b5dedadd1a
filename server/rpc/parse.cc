#include "server/rpc/parse.h"

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include "absl/strings/str_cat.h"

namespace mixfeed {

absl::Status ParseRequest(const grpc::ByteBuffer& bytes, google::protobuf::Message* request) {
  // The reader wants a buffer that it may change; a copy shares the slices.
  grpc::ByteBuffer slices(bytes);
  if (!slices.Valid()) return absl::OkStatus();  // no bytes: all defaults
  grpc::ProtoBufferReader reader(&slices);
  if (reader.status().ok() && request->ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the request is no ", request->GetDescriptor()->full_name()));
}

}  // namespace mixfeed
