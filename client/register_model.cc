#include "client/register_model.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "mixfeed/v1/model.grpc.pb.h"

namespace mixfeed {
namespace {

constexpr size_t kChunkBytes = 1 << 20;  // the service's limit
// The server tries the model in a child process, with a deadline of its own, before it answers.
constexpr std::chrono::minutes kTrialTime(5);

// False when the server ended the call early; its status says why.
bool WriteArchive(grpc::ClientWriter<v1::RegisterModelRequest>* writer,
                  const std::string& archive) {
  for (size_t at = 0; at < archive.size(); at += kChunkBytes) {
    v1::RegisterModelRequest request;
    request.set_chunk(archive.substr(at, kChunkBytes));
    if (!writer->Write(request)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<v1::RegisterModelResponse> SendModel(Channel* channel,
                                                    v1::RegisterModelHeader header,
                                                    const std::string& archive) {
  const auto stub = v1::ModelService::NewStub(channel->grpc_channel());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTrialTime +
                       std::chrono::milliseconds(channel->options().deadline_ms));
  v1::RegisterModelResponse response;
  const auto writer = stub->RegisterModel(&context, &response);
  header.set_archive_bytes(archive.size());
  v1::RegisterModelRequest first;
  *first.mutable_header() = std::move(header);
  if (writer->Write(first) && WriteArchive(writer.get(), archive)) writer->WritesDone();
  const absl::Status status = FromGrpc(writer->Finish());
  if (!status.ok()) return status;
  return response;
}

}  // namespace mixfeed
