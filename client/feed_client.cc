#include "client/feed_client.h"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "client/batch_stream.h"
#include "client/channel.h"
#include "client/feed_handle.h"
#include "client/received_batch.h"
#include "client/upload.h"

namespace mixfeed {
namespace {

constexpr char kGetBatch[] = "/mixfeed.v1.FeedService/GetBatch";
constexpr char kGetViews[] = "/mixfeed.v1.FeedService/GetViews";
constexpr char kForkRun[] = "/mixfeed.v1.FeedService/ForkRun";
constexpr char kListModels[] = "/mixfeed.v1.ModelService/ListModels";
constexpr char kGetServerInfo[] = "/mixfeed.v1.InspectService/GetServerInfo";
constexpr char kListFeeds[] = "/mixfeed.v1.InspectService/ListFeeds";
constexpr char kGetPlan[] = "/mixfeed.v1.InspectService/GetPlan";
constexpr char kRenderContactSheet[] = "/mixfeed.v1.InspectService/RenderContactSheet";
constexpr char kMeasureForward[] = "/mixfeed.v1.InspectService/MeasureForward";
constexpr char kGetGuessStats[] = "/mixfeed.v1.InspectService/GetGuessStats";
constexpr char kGetSplit[] = "/mixfeed.v1.InspectService/GetSplit";

// Of everything but batches; the largest contact sheets and index lists are below it.
constexpr size_t kMaxMessageBytes = 64 << 20;

// That the server may take to try a version.
constexpr int64_t kValidationMs = 20'000;

class FeedImpl final : public Feed {
 public:
  explicit FeedImpl(std::shared_ptr<FeedHandle> handle) : handle_(std::move(handle)) {}

  const v1::OpenFeedResponse& info() const override { return handle_->info(); }

  absl::StatusOr<ReceivedBatch> GetBatch(uint64_t step, const v1::PixelFormat& format,
                                         const v1::Share& share) override {
    auto request = Request<v1::GetBatchRequest>();
    request.set_step(step);
    *request.mutable_format() = format;
    if (share.world() > 0) *request.mutable_share() = share;
    return CallFrame<ReceivedBatch>(kGetBatch, request, &DecodeBatch);
  }

  absl::StatusOr<ReceivedViews> GetViews(uint64_t step) override {
    auto request = Request<v1::GetViewsRequest>();
    request.set_step(step);
    return CallFrame<ReceivedViews>(kGetViews, request, &DecodeViews);
  }

  absl::StatusOr<std::unique_ptr<BatchStream>> Stream(const StreamOptions& options) override {
    return OpenBatchStream(handle_, options);
  }

  absl::StatusOr<v1::GetPlanResponse> GetPlan(uint64_t step) override {
    auto request = Request<v1::GetPlanRequest>();
    request.set_step(step);
    return Call<v1::GetPlanResponse>(kGetPlan, request);
  }

  absl::StatusOr<v1::RenderContactSheetResponse> RenderContactSheet(uint64_t step, uint32_t rows,
                                                                    uint32_t scale) override {
    auto request = Request<v1::RenderContactSheetRequest>();
    request.set_step(step);
    request.set_rows(rows);
    request.set_scale(scale);
    return Call<v1::RenderContactSheetResponse>(kRenderContactSheet, request);
  }

  absl::StatusOr<v1::MeasureForwardResponse> MeasureForward(uint32_t duration_ms) override {
    auto request = Request<v1::MeasureForwardRequest>();
    request.set_duration_ms(duration_ms);
    return Call<v1::MeasureForwardResponse>(kMeasureForward, request, duration_ms);
  }

  absl::StatusOr<v1::GetSplitResponse> GetSplit() override {
    return Call<v1::GetSplitResponse>(kGetSplit, Request<v1::GetSplitRequest>());
  }

  absl::Status Close() override { return handle_->Close(); }

 private:
  template <typename Message>
  Message Request() const {
    Message request;
    request.set_feed_id(handle_->id());
    return request;
  }

  template <typename Received>
  absl::StatusOr<Received> CallFrame(
      const std::string& method, const google::protobuf::MessageLite& request,
      absl::StatusOr<Received> (*decode)(const grpc::ByteBuffer&,
                                         const std::shared_ptr<BufferPool>&)) {
    Received received;
    const auto parse = [&](const grpc::ByteBuffer& frame) -> absl::Status {
      MIXFEED_ASSIGN_OR_RETURN(received, decode(frame, handle_->buffers()));
      return absl::OkStatus();
    };
    MIXFEED_RETURN_IF_ERROR(handle_->Call(method, request, handle_->channel()->BeginCall(), parse));
    return received;
  }

  // `busy_ms`: what the server is asked to take for it.
  template <typename Response>
  absl::StatusOr<Response> Call(const std::string& method,
                                const google::protobuf::MessageLite& request, int64_t busy_ms = 0) {
    const CallOptions call = handle_->channel()->BeginCall(busy_ms);
    Response response;
    MIXFEED_RETURN_IF_ERROR(handle_->Call(method, request, call, &response));
    return response;
  }

  const std::shared_ptr<FeedHandle> handle_;
};

class FeedClientImpl final : public FeedClient {
 public:
  explicit FeedClientImpl(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}

  absl::StatusOr<std::unique_ptr<Feed>> OpenFeed(const v1::FeedSpec& spec,
                                                 const std::string& run) override {
    MIXFEED_ASSIGN_OR_RETURN(auto handle, FeedHandle::Open(channel_, spec, run));
    return std::make_unique<FeedImpl>(std::move(handle));
  }

  absl::StatusOr<v1::GetServerInfoResponse> GetServerInfo() override {
    return Call<v1::GetServerInfoResponse>(kGetServerInfo, v1::GetServerInfoRequest());
  }

  absl::StatusOr<v1::ListFeedsResponse> ListFeeds() override {
    return Call<v1::ListFeedsResponse>(kListFeeds, v1::ListFeedsRequest());
  }

  absl::StatusOr<v1::ListModelsResponse> ListModels() override {
    return Call<v1::ListModelsResponse>(kListModels, v1::ListModelsRequest());
  }

  absl::StatusOr<v1::GetSplitResponse> GetSplit(const std::string& feed_id) override {
    v1::GetSplitRequest request;
    request.set_feed_id(feed_id);
    return Call<v1::GetSplitResponse>(kGetSplit, request);
  }

  absl::StatusOr<v1::GetGuessStatsResponse> GetGuessStats(const std::string& feed_id,
                                                          uint32_t validate) override {
    v1::GetGuessStatsRequest request;
    request.set_feed_id(feed_id);
    request.set_validate(validate);
    return Call<v1::GetGuessStatsResponse>(kGetGuessStats, request, kValidationMs * validate);
  }

  absl::StatusOr<v1::OpenFeedResponse> ForkRun(const std::string& feed_id, uint64_t step,
                                               const std::string& run,
                                               const std::string& model) override {
    v1::ForkRunRequest request;
    request.set_feed_id(feed_id);
    request.set_step(step);
    request.set_run(run);
    request.set_model(model);
    return Call<v1::OpenFeedResponse>(kForkRun, request);
  }

  absl::StatusOr<v1::RegisterModelResponse> RegisterModel(v1::RegisterModelHeader header,
                                                          const std::string& archive) override {
    return SendModel(channel_.get(), std::move(header), archive);
  }

  absl::StatusOr<v1::PushWeightsResponse> PushWeights(v1::PushWeightsHeader header,
                                                      const std::string& safetensors) override {
    return SendWeights(channel_.get(), std::move(header), safetensors);
  }

 private:
  template <typename Response>
  absl::StatusOr<Response> Call(const std::string& method,
                                const google::protobuf::MessageLite& request, int64_t busy_ms = 0) {
    Response response;
    MIXFEED_RETURN_IF_ERROR(
        channel_->Call(method, request, channel_->BeginCall(busy_ms), &response));
    return response;
  }

  const std::shared_ptr<Channel> channel_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FeedClient>> FeedClient::Connect(const ConnectOptions& options) {
  MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<Channel> channel,
                           Channel::Create(options, {.max_message_bytes = kMaxMessageBytes}));
  MIXFEED_RETURN_IF_ERROR(channel->WaitUntilConnected());
  return std::make_unique<FeedClientImpl>(std::move(channel));
}

std::string NewRunName() {
  std::random_device random;
  const uint64_t high = random();
  return absl::StrCat(absl::Hex((high << 32) | random(), absl::kZeroPad16));
}

}  // namespace mixfeed
