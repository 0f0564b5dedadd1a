#include "server/rpc/call_ref.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"

namespace mixfeed {
namespace {

grpc_call* Referenced(grpc_call* call) {
  grpc_call_ref(call);
  return call;
}

// This way out a message is not escaped as in Finish.
std::string PrintableAscii(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return !absl::ascii_isprint(static_cast<unsigned char>(c)); }, '?');
  return text;
}

}  // namespace

CallRef::CallRef(grpc::CallbackServerContext* context)
    : call_(Referenced(context->c_call()), grpc_call_unref) {}

void CallRef::End(const absl::Status& status) const {
  // Since the trailers that end the call are no data, no flow control holds them up.
  grpc_call_cancel_with_status(call_.get(), static_cast<grpc_status_code>(status.code()),
                               PrintableAscii(std::string(status.message())).c_str(), nullptr);
}

}  // namespace mixfeed
