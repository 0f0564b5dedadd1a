#ifndef MIXFEED_TESTS_SERVER_RPC_STUB_KIT_H_
#define MIXFEED_TESTS_SERVER_RPC_STUB_KIT_H_

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mixfeed/v1/feed.grpc.pb.h"
#include "mixfeed/v1/inspect.grpc.pb.h"
#include "mixfeed/v1/model.grpc.pb.h"

namespace mixfeed::testing {

// A bound for calls that must end: far above what any takes, below the test's own limit.
constexpr std::chrono::seconds kCallLimit(120);

// Stock generated stubs on a connection of their own.
struct Stubs {
  explicit Stubs(const std::string& address,
                 const std::shared_ptr<grpc::ChannelCredentials>& credentials =
                     grpc::InsecureChannelCredentials()) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel = grpc::CreateCustomChannel(address, credentials, arguments);
    feeds = v1::FeedService::NewStub(channel);
    models = v1::ModelService::NewStub(channel);
    inspect = v1::InspectService::NewStub(channel);
  }

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::FeedService::Stub> feeds;
  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::InspectService::Stub> inspect;
};

inline void SetLimit(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + kCallLimit);
}

// Calls `method` of `stub`; the status goes to `status` where one is given, else must be OK.
template <typename Stub, typename Request, typename Response>
Response Call(Stub* stub,
              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
              const Request& request, grpc::Status* status = nullptr) {
  grpc::ClientContext context;
  SetLimit(&context);
  Response response;
  const grpc::Status result = (stub->*method)(&context, request, &response);
  if (status != nullptr) {
    *status = result;
  } else {
    EXPECT_TRUE(result.ok()) << result.error_code() << ": " << result.error_message();
  }
  return response;
}

inline v1::FeedSpec TinySpec(const std::string& preset, uint32_t batch = 8) {
  v1::FeedSpec spec;
  spec.mutable_recipe()->set_preset(preset);
  spec.set_batch(batch);
  if (preset == "mixmatch") {
    spec.mutable_split()->set_labelled(50);
    spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::NEWEST);
  }
  return spec;
}

inline v1::OpenFeedResponse Open(const Stubs& stubs, const v1::FeedSpec& spec,
                                 const std::string& run = "", grpc::Status* status = nullptr) {
  v1::OpenFeedRequest request;
  *request.mutable_spec() = spec;
  request.set_run(run);
  return Call(stubs.feeds.get(), &v1::FeedService::Stub::OpenFeed, request, status);
}

inline v1::Batch GetBatch(const Stubs& stubs, const std::string& feed_id, uint64_t step,
                          grpc::Status* status = nullptr,
                          const std::function<void(v1::GetBatchRequest*)>& adjust = nullptr) {
  v1::GetBatchRequest request;
  request.set_feed_id(feed_id);
  request.set_step(step);
  request.mutable_format()->set_type(v1::UINT8);
  if (adjust) adjust(&request);
  return Call(stubs.feeds.get(), &v1::FeedService::Stub::GetBatch, request, status);
}

inline v1::GetServerInfoResponse Info(const Stubs& stubs) {
  return Call(stubs.inspect.get(), &v1::InspectService::Stub::GetServerInfo,
              v1::GetServerInfoRequest());
}

// One StreamBatches call of the stock stub.
class StreamCall {
 public:
  explicit StreamCall(const Stubs& stubs) {
    SetLimit(&context_);
    stream_ = stubs.feeds->StreamBatches(&context_);
  }
  StreamCall(const Stubs& stubs, const v1::OpenStream& open) : StreamCall(stubs) {
    v1::StreamBatchesRequest request;
    *request.mutable_open() = open;
    stream_->Write(request);
  }

  bool Write(const v1::StreamBatchesRequest& request) { return stream_->Write(request); }
  bool Grant(uint32_t count) {
    v1::StreamBatchesRequest request;
    request.mutable_credits()->set_count(count);
    return stream_->Write(request);
  }
  bool Read(v1::Batch* batch) { return stream_->Read(batch); }
  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }

  // Reads what still comes and returns the status.
  grpc::Status Finish() {
    v1::Batch batch;
    while (stream_->Read(&batch)) {
    }
    return stream_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamBatchesRequest, v1::Batch>> stream_;
};

inline v1::OpenStream StreamOf(const std::string& feed_id, uint32_t credits = 4) {
  v1::OpenStream open;
  open.set_feed_id(feed_id);
  open.set_credits(credits);
  open.mutable_format()->set_type(v1::UINT8);
  return open;
}

// Registers `archive` (empty: none) in chunks of `chunk_bytes`.
inline v1::RegisterModelResponse Register(const Stubs& stubs, v1::RegisterModelHeader header,
                                          const std::string& archive,
                                          grpc::Status* status = nullptr,
                                          size_t chunk_bytes = size_t{1} << 20) {
  grpc::ClientContext context;
  SetLimit(&context);
  v1::RegisterModelResponse response;
  auto writer = stubs.models->RegisterModel(&context, &response);
  v1::RegisterModelRequest request;
  header.set_archive_bytes(archive.size());
  *request.mutable_header() = header;
  bool open = writer->Write(request);
  for (size_t at = 0; open && at < archive.size(); at += chunk_bytes) {
    request.set_chunk(archive.substr(at, chunk_bytes));
    open = writer->Write(request);
  }
  writer->WritesDone();
  const grpc::Status result = writer->Finish();
  if (status != nullptr) {
    *status = result;
  } else {
    EXPECT_TRUE(result.ok()) << result.error_code() << ": " << result.error_message();
  }
  return response;
}

// The status of a push of `header` and then `chunks`.
inline grpc::Status Push(const Stubs& stubs, const v1::PushWeightsHeader& header,
                         const std::vector<std::string>& chunks) {
  grpc::ClientContext context;
  SetLimit(&context);
  v1::PushWeightsResponse response;
  const auto writer = stubs.models->PushWeights(&context, &response);
  v1::PushWeightsRequest request;
  *request.mutable_header() = header;
  writer->Write(request);
  for (const std::string& chunk : chunks) {
    request.set_chunk(chunk);
    writer->Write(request);
  }
  writer->WritesDone();
  return writer->Finish();
}

inline v1::RegisterModelHeader ModelHeader(const std::string& name,
                                           const std::string& kind = "torchscript") {
  v1::RegisterModelHeader header;
  header.set_name(name);
  header.set_kind(kind);
  return header;
}

// grpc::Status with this code and a message that contains `text`.
inline void ExpectStatus(const grpc::Status& status, grpc::StatusCode code,
                         const std::string& text = "") {
  EXPECT_EQ(status.error_code(), code) << status.error_message();
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr(text));
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_SERVER_RPC_STUB_KIT_H_
