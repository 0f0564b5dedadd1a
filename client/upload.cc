#include "client/upload.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "augment/base/status_macros.h"
#include "augment/weights/state_dict.h"
#include "mixfeed/v1/model.grpc.pb.h"

namespace mixfeed {
namespace {

constexpr size_t kChunkBytes = 1 << 20;  // the service's limit
// The server tries the model in a child process, with a deadline of its own, before it answers.
constexpr std::chrono::minutes kTrialTime(5);

void SetTimeLimit(const Channel& channel, std::chrono::milliseconds more,
                  grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + more +
                        std::chrono::milliseconds(channel.options().deadline_ms));
}

// The header, then the bytes in chunks. A server that ends the call early says why in its status.
template <typename Request, typename Header>
absl::Status Upload(Header header, const std::string& bytes, grpc::ClientWriter<Request>* writer) {
  Request first;
  *first.mutable_header() = std::move(header);
  bool open = writer->Write(first);
  Request next;  // one for all, whose memory is used again
  for (size_t at = 0; open && at < bytes.size(); at += kChunkBytes) {
    next.mutable_chunk()->assign(bytes, at, kChunkBytes);
    open = writer->Write(next);
  }
  if (open) writer->WritesDone();
  return FromGrpc(writer->Finish());
}

}  // namespace

absl::StatusOr<v1::RegisterModelResponse> SendModel(Channel* channel,
                                                    v1::RegisterModelHeader header,
                                                    const std::string& archive) {
  const auto stub = v1::ModelService::NewStub(channel->grpc_channel());
  grpc::ClientContext context;
  SetTimeLimit(*channel, kTrialTime, &context);
  header.set_archive_bytes(archive.size());
  v1::RegisterModelResponse response;
  MIXFEED_RETURN_IF_ERROR(
      Upload(std::move(header), archive, stub->RegisterModel(&context, &response).get()));
  return response;
}

absl::StatusOr<v1::PushWeightsResponse> SendWeights(Channel* channel, v1::PushWeightsHeader header,
                                                    const std::string& safetensors) {
  const auto stub = v1::ModelService::NewStub(channel->grpc_channel());
  grpc::ClientContext context;
  SetTimeLimit(*channel, std::chrono::milliseconds(0), &context);
  header.set_weights_bytes(safetensors.size());
  header.set_digest(DigestOf(safetensors));
  v1::PushWeightsResponse response;
  MIXFEED_RETURN_IF_ERROR(
      Upload(std::move(header), safetensors, stub->PushWeights(&context, &response).get()));
  return response;
}

}  // namespace mixfeed
