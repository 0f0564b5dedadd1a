#include "tests/client/fake_services.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "mixfeed/v1/feed.grpc.pb.h"
#include "mixfeed/v1/inspect.grpc.pb.h"
#include "mixfeed/v1/model.grpc.pb.h"

namespace mixfeed::testing {
namespace {

using State = FakeServer::State;

class StreamReactor final : public grpc::ServerBidiReactor<v1::StreamBatchesRequest, v1::Batch> {
 public:
  explicit StreamReactor(std::shared_ptr<State> state) : state_(std::move(state)) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return MaybeFinish(grpc::Status::OK);
    if (request_.has_open()) {
      if (!Open(request_.open())) return;
    } else {
      Grant(request_.credits().count());
    }
    StartRead(&request_);
    Pump();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return MaybeFinish(grpc::Status::CANCELLED);
    {
      MutexLock lock(&mu_);
      writing_ = false;
    }
    Pump();
  }

  void OnCancel() override { MaybeFinish(grpc::Status::CANCELLED); }

  void OnDone() override {
    {
      MutexLock lock(&state_->mu);
      --state_->live_streams;
    }
    delete this;
  }

 private:
  bool Open(const v1::OpenStream& open) {
    bool forgotten = false;
    {
      MutexLock lock(&state_->mu);
      state_->streams.push_back(open);
      ++state_->calls["StreamBatches"];
      forgotten = state_->forgotten;
      if (!state_->scripts.empty()) {
        script_ = state_->scripts.front();
        state_->scripts.pop_front();
      }
    }
    if (forgotten) {
      MaybeFinish(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such feed"));
      return false;
    }
    const bool strides = open.world() > 1 && open.sharing() == v1::OpenStream::ROUND_ROBIN;
    stride_ = open.repeat() ? 0 : strides ? open.world() : 1;
    next_ = open.from_step() + script_.skip_steps;
    Grant(open.credits());
    return true;
  }

  void Grant(uint32_t count) {
    MutexLock lock(&mu_);
    granted_ += count;
    MutexLock state_lock(&state_->mu);
    ++state_->credit_messages;
    state_->max_outstanding = std::max(state_->max_outstanding, granted_ - sent_);
  }

  void Pump() {
    std::optional<absl::Status> end;
    {
      MutexLock lock(&mu_);
      if (writing_ || finished_) return;
      if (sent_ == script_.batches) {
        if (script_.stall) return;
        end = script_.end;
      } else if (sent_ < granted_ || script_.ignore_credits) {
        ++sent_;
        writing_ = true;
        batch_ = state_->Make(next_);
        next_ += stride_;
        StartWrite(&batch_);
      }
    }
    if (end.has_value()) MaybeFinish(ToGrpc(*end));
  }

  void MaybeFinish(const grpc::Status& status) {
    MutexLock lock(&mu_);
    if (!std::exchange(finished_, true)) Finish(status);
  }

  const std::shared_ptr<State> state_;
  v1::StreamBatchesRequest request_;
  StreamScript script_;
  uint64_t stride_ = 1;

  Mutex mu_;
  v1::Batch batch_;
  uint64_t next_ = 0;
  int64_t granted_ = 0;
  int64_t sent_ = 0;
  bool writing_ = false;
  bool finished_ = false;
};

class FeedRpc final
    : public v1::FeedService::WithCallbackMethod_StreamBatches<v1::FeedService::Service> {
 public:
  explicit FeedRpc(std::shared_ptr<State> state) : state_(std::move(state)) {}

  grpc::Status OpenFeed(grpc::ServerContext* context, const v1::OpenFeedRequest* request,
                        v1::OpenFeedResponse* response) override {
    {
      MutexLock lock(&state_->mu);
      state_->opens.push_back(*request);
    }
    if (const auto status = state_->Begin("OpenFeed", context); !status.ok()) return status;
    MutexLock lock(&state_->mu);
    if (!state_->index_progress.empty()) return ToGrpc(state_->index_refusal);
    state_->forgotten = false;
    *response = state_->feed;
    return grpc::Status::OK;
  }

  grpc::Status GetBatch(grpc::ServerContext* context, const v1::GetBatchRequest* request,
                        v1::Batch* response) override {
    if (const auto status = state_->Begin("GetBatch", context); !status.ok()) return status;
    if (state_->Forgotten()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such feed");
    *response = state_->Make(request->step());
    MutexLock lock(&state_->mu);
    state_->last_get = *request;
    return grpc::Status::OK;
  }

  grpc::Status GetViews(grpc::ServerContext* context, const v1::GetViewsRequest* request,
                        v1::Views* response) override {
    if (const auto status = state_->Begin("GetViews", context); !status.ok()) return status;
    if (state_->Forgotten()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such feed");
    *response = FakeServer::MakeViews(request->step());
    return grpc::Status::OK;
  }

  grpc::ServerBidiReactor<v1::StreamBatchesRequest, v1::Batch>* StreamBatches(
      grpc::CallbackServerContext*) override {
    MutexLock lock(&state_->mu);
    ++state_->live_streams;
    return new StreamReactor(state_);
  }

  grpc::Status ForkRun(grpc::ServerContext* context, const v1::ForkRunRequest* request,
                       v1::OpenFeedResponse* response) override {
    if (const auto status = state_->Begin("ForkRun", context); !status.ok()) return status;
    MutexLock lock(&state_->mu);
    state_->last_fork = *request;
    *response = state_->feed;
    response->set_run(request->run());
    return grpc::Status::OK;
  }

  grpc::Status CloseFeed(grpc::ServerContext* context, const v1::CloseFeedRequest*,
                         v1::CloseFeedResponse*) override {
    return state_->Begin("CloseFeed", context);
  }

 private:
  const std::shared_ptr<State> state_;
};

v1::Model FakeModel() {
  v1::Model model;
  model.set_name("small");
  model.set_version(3);
  model.set_kind("resnet-small");
  model.set_classes(kFakeClasses);
  model.set_batch_statistics(true);
  model.set_digest("00112233445566778899aabbccddeeff");
  return model;
}

class ModelRpc final : public v1::ModelService::Service {
 public:
  explicit ModelRpc(std::shared_ptr<State> state) : state_(std::move(state)) {}

  grpc::Status RegisterModel(grpc::ServerContext* context,
                             grpc::ServerReader<v1::RegisterModelRequest>* reader,
                             v1::RegisterModelResponse* response) override {
    if (const auto status = state_->Begin("RegisterModel", context); !status.ok()) return status;
    v1::RegisterModelRequest request;
    std::vector<size_t> chunks;
    while (reader->Read(&request)) {
      MutexLock lock(&state_->mu);
      if (request.has_header()) state_->last_header = request.header();
      if (!request.has_header()) chunks.push_back(request.chunk().size());
    }
    MutexLock lock(&state_->mu);
    state_->chunks = chunks;
    *response->mutable_model() = FakeModel();
    return grpc::Status::OK;
  }

  grpc::Status PushWeights(grpc::ServerContext* context,
                           grpc::ServerReader<v1::PushWeightsRequest>* reader,
                           v1::PushWeightsResponse* response) override {
    if (const auto status = state_->Begin("PushWeights", context); !status.ok()) return status;
    v1::PushWeightsRequest request;
    std::vector<size_t> chunks;
    while (reader->Read(&request)) {
      MutexLock lock(&state_->mu);
      if (request.has_header()) state_->last_push = request.header();
      if (!request.has_header()) chunks.push_back(request.chunk().size());
    }
    MutexLock lock(&state_->mu);
    state_->chunks = chunks;
    *response->mutable_model() = FakeModel();
    return grpc::Status::OK;
  }

  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    *response->add_models() = FakeModel();
    return state_->Begin("ListModels", context);
  }

 private:
  const std::shared_ptr<State> state_;
};

class InspectRpc final : public v1::InspectService::Service {
 public:
  explicit InspectRpc(std::shared_ptr<State> state) : state_(std::move(state)) {}

  grpc::Status GetServerInfo(grpc::ServerContext* context, const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse* response) override {
    response->set_version("1.2.3");
    response->set_device("fake device");
    response->set_environment("fake environment");
    v1::DatasetInfo* dataset = response->add_datasets();
    dataset->set_name("fake");
    dataset->set_train_images(50000);
    dataset->add_class_names("cat");
    response->add_datasets()->set_error("file.bin: truncated");
    *response->add_models() = FakeModel();
    response->set_batches_made(uint64_t{1} << 60);
    response->set_waiting_batches(3);
    {
      MutexLock lock(&state_->mu);
      if (!state_->index_progress.empty()) {
        v1::NeighbourBuild* const build = response->add_neighbour_builds();
        build->set_dataset("fake");
        build->set_images(600);
        build->set_neighbours(20);
        build->set_done(state_->index_progress.front());
        state_->index_progress.pop_front();
      }
    }
    return state_->Begin("GetServerInfo", context);
  }

  grpc::Status ListFeeds(grpc::ServerContext* context, const v1::ListFeedsRequest*,
                         v1::ListFeedsResponse* response) override {
    {
      MutexLock lock(&state_->mu);
      response->mutable_feeds()->Assign(state_->feeds.begin(), state_->feeds.end());
    }
    return state_->Begin("ListFeeds", context);
  }

  grpc::Status GetPlan(grpc::ServerContext* context, const v1::GetPlanRequest* request,
                       v1::GetPlanResponse* response) override {
    if (state_->Forgotten()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such feed");
    MutexLock lock(&state_->mu);
    const auto own = state_->plans_of_steps.find(request->step());
    *response = own == state_->plans_of_steps.end() ? state_->plan : own->second;
    response->set_step(request->step());
    (void)context;
    return grpc::Status::OK;
  }

  grpc::Status RenderContactSheet(grpc::ServerContext* context,
                                  const v1::RenderContactSheetRequest* request,
                                  v1::RenderContactSheetResponse* response) override {
    response->set_png(absl::StrCat("png of step ", request->step()));
    response->set_width(request->rows());
    response->set_height(request->scale());
    return state_->Begin("RenderContactSheet", context);
  }

  grpc::Status MeasureForward(grpc::ServerContext* context, const v1::MeasureForwardRequest*,
                              v1::MeasureForwardResponse* response) override {
    response->set_images_per_second(1000);
    return state_->Begin("MeasureForward", context);
  }

  grpc::Status GetGuessStats(grpc::ServerContext* context, const v1::GetGuessStatsRequest* request,
                             v1::GetGuessStatsResponse* response) override {
    {
      MutexLock lock(&state_->mu);
      state_->last_stats = *request;
      *response = state_->stats;
      response->set_feed_id(request->feed_id());
    }
    return state_->Begin("GetGuessStats", context);
  }

  grpc::Status GetSplit(grpc::ServerContext* context, const v1::GetSplitRequest*,
                        v1::GetSplitResponse* response) override {
    response->add_labelled(5);
    response->add_labelled(17);
    response->add_unlabelled(1);
    return state_->Begin("GetSplit", context);
  }

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> MakeFakeServices(const std::shared_ptr<State>& state) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<FeedRpc>(state));
  services.push_back(std::make_unique<ModelRpc>(state));
  services.push_back(std::make_unique<InspectRpc>(state));
  return services;
}

}  // namespace mixfeed::testing
