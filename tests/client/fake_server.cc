#include "tests/client/fake_server.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "mixfeed/v1/feed.grpc.pb.h"
#include "mixfeed/v1/inspect.grpc.pb.h"
#include "mixfeed/v1/model.grpc.pb.h"

namespace mixfeed::testing {
namespace {

constexpr uint32_t kRows = 3, kClasses = 4, kPixels = 4;
constexpr char kFeedId[] = "0123456789abcdef0123456789abcdef";

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  if (!path.empty()) text << std::ifstream(path).rdbuf();
  return text.str();
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const FakeServer::Tls& tls) {
  if (tls.cert.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      tls.client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                            : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = ReadFile(tls.client_ca);
  options.pem_key_cert_pairs = {{ReadFile(tls.key), ReadFile(tls.cert)}};
  return grpc::SslServerCredentials(options);
}

v1::OpenFeedResponse DefaultFeed() {
  v1::OpenFeedResponse feed;
  feed.set_feed_id(kFeedId);
  feed.set_run("fake-run");
  feed.mutable_spec()->set_dataset("fake");
  feed.mutable_spec()->set_batch(1);
  feed.mutable_spec()->mutable_recipe()->set_preset("mixmatch");
  feed.set_rows(kRows);
  feed.set_classes(kClasses);
  feed.mutable_image()->set_channels(1);
  feed.mutable_image()->set_height(2);
  feed.mutable_image()->set_width(2);
  return feed;
}

}  // namespace

struct FakeServer::State {
  Mutex mu;
  CondVar changed;
  v1::OpenFeedResponse feed = DefaultFeed();
  v1::GetPlanResponse plan;
  std::function<void(v1::Batch*)> edit;
  std::deque<StreamScript> scripts;
  std::map<std::string, std::pair<absl::Status, int>> failures;
  std::set<std::string> hanging;
  bool forgotten = false;

  std::map<std::string, int> calls;
  std::vector<v1::OpenStream> streams;
  int live_streams = 0;
  v1::OpenFeedRequest last_open;
  v1::GetBatchRequest last_get;
  v1::RegisterModelHeader last_header;
  std::vector<size_t> chunks;
  int64_t max_outstanding = 0;
  int credit_messages = 0;

  // Counts the call, and fails or hangs it as scripted.
  grpc::Status Begin(const std::string& method, grpc::ServerContext* context) {
    {
      MutexLock lock(&mu);
      ++calls[method];
      changed.NotifyAll();
      const auto failure = failures.find(method);
      if (failure != failures.end() && failure->second.second-- > 0) {
        return ToGrpc(failure->second.first);
      }
      if (!hanging.contains(method)) return grpc::Status::OK;
    }
    // gRPC's synchronous services can only ask whether they were cancelled.
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  }

  bool Forgotten() {
    MutexLock lock(&mu);
    return forgotten;
  }

  v1::Batch Make(uint64_t step) {
    v1::Batch batch = MakeBatch(step);
    MutexLock lock(&mu);
    if (edit) edit(&batch);
    return batch;
  }
};

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
      state_->changed.NotifyAll();
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
      state_->changed.NotifyAll();
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
    if (const auto status = state_->Begin("OpenFeed", context); !status.ok()) return status;
    MutexLock lock(&state_->mu);
    state_->last_open = *request;
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

  grpc::ServerBidiReactor<v1::StreamBatchesRequest, v1::Batch>* StreamBatches(
      grpc::CallbackServerContext*) override {
    MutexLock lock(&state_->mu);
    ++state_->live_streams;
    return new StreamReactor(state_);
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
  model.set_classes(kClasses);
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
    v1::DatasetInfo* dataset = response->add_datasets();
    dataset->set_name("fake");
    dataset->set_train_images(50000);
    dataset->add_class_names("cat");
    response->add_datasets()->set_error("file.bin: truncated");
    *response->add_models() = FakeModel();
    response->set_batches_made(uint64_t{1} << 60);
    return state_->Begin("GetServerInfo", context);
  }

  grpc::Status ListFeeds(grpc::ServerContext* context, const v1::ListFeedsRequest*,
                         v1::ListFeedsResponse* response) override {
    v1::FeedInfo* feed = response->add_feeds();
    feed->set_feed_id(kFeedId);
    *feed->mutable_spec() = DefaultFeed().spec();
    return state_->Begin("ListFeeds", context);
  }

  grpc::Status GetPlan(grpc::ServerContext* context, const v1::GetPlanRequest* request,
                       v1::GetPlanResponse* response) override {
    if (state_->Forgotten()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such feed");
    MutexLock lock(&state_->mu);
    *response = state_->plan;
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

class FakeServer::Rpc {
 public:
  Rpc(const std::shared_ptr<State>& state, const Tls& tls, int* port)
      : feed_(state), model_(state), inspect_(state) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", *port), Credentials(tls), port);
    builder.RegisterService(&feed_);
    builder.RegisterService(&model_);
    builder.RegisterService(&inspect_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) std::abort();
  }

  ~Rpc() { server_->Shutdown(std::chrono::system_clock::now()); }

 private:
  FeedRpc feed_;
  ModelRpc model_;
  InspectRpc inspect_;
  std::unique_ptr<grpc::Server> server_;
};

FakeServer::FakeServer() : FakeServer(Tls()) {}
FakeServer::FakeServer(Tls tls) : state_(std::make_shared<State>()), tls_(std::move(tls)) {
  Start();
}
FakeServer::~FakeServer() = default;

std::string FakeServer::address() const { return absl::StrCat("127.0.0.1:", port_); }
void FakeServer::Stop() { rpc_.reset(); }
void FakeServer::Start() { rpc_ = std::make_unique<Rpc>(state_, tls_, &port_); }

v1::Batch FakeServer::MakeBatch(uint64_t step) {
  v1::Batch batch;
  v1::BatchHeader* header = batch.mutable_header();
  header->set_feed_id(kFeedId);
  header->set_step(step);
  header->set_rows(kRows);
  header->set_classes(kClasses);
  *header->mutable_image() = DefaultFeed().image();
  header->set_type(v1::UINT8);
  header->set_layout(v1::NCHW);
  for (uint32_t r = 0; r < kRows; ++r) {
    header->add_row(r);
    header->add_sample(100 + r);
    header->add_pool(r + 1 < kRows ? v1::LABELLED : v1::UNLABELLED);
    header->add_view(0);
    header->add_partner(kRows - 1 - r);
    header->add_lambda(0.75f);
  }
  header->mutable_guess()->set_version(3);
  for (uint32_t p = 0; p < kRows * kPixels; ++p) {
    batch.mutable_pixels()->push_back(static_cast<char>(step * 31 + p));
  }
  for (uint32_t r = 0; r < kRows; ++r) {
    const float target[kClasses] = {0.125f, 0.125f, 0.625f, 0.125f};
    batch.mutable_targets()->append(reinterpret_cast<const char*>(target), sizeof(target));
  }
  return batch;
}

v1::OpenFeedResponse FakeServer::feed() {
  MutexLock lock(&state_->mu);
  return state_->feed;
}

void FakeServer::SetFeed(const v1::OpenFeedResponse& feed) {
  MutexLock lock(&state_->mu);
  state_->feed = feed;
}

void FakeServer::SetPlan(const v1::GetPlanResponse& plan) {
  MutexLock lock(&state_->mu);
  state_->plan = plan;
}

void FakeServer::EditBatches(std::function<void(v1::Batch*)> edit) {
  MutexLock lock(&state_->mu);
  state_->edit = std::move(edit);
}

void FakeServer::Script(const StreamScript& script) {
  MutexLock lock(&state_->mu);
  state_->scripts.push_back(script);
}

void FakeServer::Fail(const std::string& method, const absl::Status& status, int times) {
  MutexLock lock(&state_->mu);
  state_->failures[method] = {status, times};
}

void FakeServer::Hang(const std::string& method) {
  MutexLock lock(&state_->mu);
  state_->hanging.insert(method);
}

void FakeServer::ForgetFeed() {
  MutexLock lock(&state_->mu);
  state_->forgotten = true;
}

int FakeServer::calls(const std::string& method) {
  MutexLock lock(&state_->mu);
  return state_->calls[method];
}

std::vector<v1::OpenStream> FakeServer::streams() {
  MutexLock lock(&state_->mu);
  return state_->streams;
}

v1::OpenFeedRequest FakeServer::last_open() {
  MutexLock lock(&state_->mu);
  return state_->last_open;
}

v1::GetBatchRequest FakeServer::last_get() {
  MutexLock lock(&state_->mu);
  return state_->last_get;
}

v1::RegisterModelHeader FakeServer::last_header() {
  MutexLock lock(&state_->mu);
  return state_->last_header;
}

std::vector<size_t> FakeServer::chunks() {
  MutexLock lock(&state_->mu);
  return state_->chunks;
}

int64_t FakeServer::max_outstanding() {
  MutexLock lock(&state_->mu);
  return state_->max_outstanding;
}

int FakeServer::credit_messages() {
  MutexLock lock(&state_->mu);
  return state_->credit_messages;
}

void FakeServer::AwaitCalls(const std::string& method, int count) {
  MutexLock lock(&state_->mu);
  while (state_->calls[method] < count) state_->changed.Wait(&state_->mu);
}

void FakeServer::AwaitNoStreams() {
  MutexLock lock(&state_->mu);
  while (state_->live_streams > 0) state_->changed.Wait(&state_->mu);
}

}  // namespace mixfeed::testing
