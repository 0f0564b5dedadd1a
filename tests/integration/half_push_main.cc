// half_push ADDRESS MODEL UPDATE REPLACES FILE BYTES COMMIT: a trainer that pushes the weights in a
// file, of which it sends the first so many bytes, and if COMMIT is 1 says that these are all.
// Prints a line when they are on their way, and waits to be killed.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "augment/weights/state_dict.h"
#include "mixfeed/v1/model.grpc.pb.h"

namespace mixfeed {
namespace {

// So small that a push of any size has many.
constexpr size_t kChunkBytes = 64;

void Send(char** args) {
  std::ifstream file(args[5], std::ios::binary);
  const std::string weights{std::istreambuf_iterator<char>(file), {}};
  const auto stub =
      v1::ModelService::NewStub(grpc::CreateChannel(args[1], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  v1::PushWeightsResponse response;
  const auto writer = stub->PushWeights(&context, &response);
  v1::PushWeightsRequest request;
  request.mutable_header()->set_model(args[2]);
  request.mutable_header()->set_update(std::stoull(args[3]));
  request.mutable_header()->set_replaces(std::stoull(args[4]));
  request.mutable_header()->set_weights_bytes(weights.size());
  request.mutable_header()->set_digest(DigestOf(weights));
  writer->Write(request);
  const size_t bytes = std::min<size_t>(weights.size(), std::stoull(args[6]));
  for (size_t sent = 0; sent < bytes; sent += kChunkBytes) {
    request.set_chunk(weights.substr(sent, std::min(kChunkBytes, bytes - sent)));
    writer->Write(request);
  }
  if (args[7] == std::string("1")) writer->WritesDone();
  std::cout << "sent" << std::endl;
  while (true) pause();
}

}  // namespace
}  // namespace mixfeed

int main(int argc, char** argv) {
  if (argc != 8) return EXIT_FAILURE;
  mixfeed::Send(argv);
}
