#include "tests/client/fake_server.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/client/fake_services.h"
#include "tests/client/fake_state.h"
#include "tests/testing/eventually.h"
#include "tests/testing/file_bytes.h"

namespace mixfeed::testing {
namespace {

std::shared_ptr<grpc::ServerCredentials> Credentials(const FakeServer::Tls& tls) {
  if (tls.cert.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      tls.client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                            : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = ReadBytes(tls.client_ca);
  options.pem_key_cert_pairs = {{ReadBytes(tls.key), ReadBytes(tls.cert)}};
  return grpc::SslServerCredentials(options);
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

v1::OpenFeedResponse DefaultFeed() {
  v1::OpenFeedResponse feed;
  feed.set_feed_id(kFakeFeedId);
  feed.set_run("fake-run");
  feed.mutable_spec()->set_dataset("fake");
  feed.mutable_spec()->set_batch(1);
  feed.mutable_spec()->mutable_recipe()->set_preset("mixmatch");
  feed.set_rows(kFakeRows);
  feed.set_classes(kFakeClasses);
  feed.mutable_image()->set_channels(1);
  feed.mutable_image()->set_height(2);
  feed.mutable_image()->set_width(2);
  return feed;
}

v1::FeedInfo DefaultFeedInfo() {
  v1::FeedInfo feed;
  feed.set_feed_id(kFakeFeedId);
  *feed.mutable_spec() = DefaultFeed().spec();
  return feed;
}

grpc::Status FakeServer::State::Begin(const std::string& method, grpc::ServerContext* context) {
  {
    MutexLock lock(&mu);
    ++calls[method];
    const auto failure = failures.find(method);
    if (failure != failures.end() && failure->second.second-- > 0) {
      return ToGrpc(failure->second.first);
    }
    if (!hanging.contains(method)) return grpc::Status::OK;
  }
  // gRPC's synchronous services can only ask whether they were cancelled.
  Eventually([&] { return context->IsCancelled(); });
  return grpc::Status::CANCELLED;
}

bool FakeServer::State::Forgotten() {
  MutexLock lock(&mu);
  return forgotten;
}

v1::Batch FakeServer::State::Make(uint64_t step) {
  v1::Batch batch = MakeBatch(step);
  MutexLock lock(&mu);
  if (edit) edit(&batch);
  return batch;
}

class FakeServer::Rpc {
 public:
  Rpc(const std::shared_ptr<State>& state, const Tls& tls, int* port)
      : services_(MakeFakeServices(state)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", *port), Credentials(tls), port);
    for (const auto& service : services_) builder.RegisterService(service.get());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) std::abort();
  }

  ~Rpc() { server_->Shutdown(std::chrono::system_clock::now()); }

 private:
  const std::vector<std::unique_ptr<grpc::Service>> services_;
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
  header->set_feed_id(kFakeFeedId);
  header->set_step(step);
  header->set_rows(kFakeRows);
  header->set_classes(kFakeClasses);
  *header->mutable_image() = DefaultFeed().image();
  header->set_type(v1::UINT8);
  header->set_layout(v1::NCHW);
  for (uint32_t r = 0; r < kFakeRows; ++r) {
    header->add_row(r);
    header->add_sample(100 + r);
    header->add_pool(r + 1 < kFakeRows ? v1::LABELLED : v1::UNLABELLED);
    header->add_view(0);
    header->add_partner(kFakeRows - 1 - r);
    header->add_lambda(0.75f);
  }
  header->mutable_guess()->set_version(3);
  header->mutable_guess()->set_confidence(0.75f);
  for (uint32_t p = 0; p < kFakeRows * kFakePixels; ++p) {
    batch.mutable_pixels()->push_back(static_cast<char>(step * 31 + p));
  }
  for (uint32_t r = 0; r < kFakeRows; ++r) {
    const float target[kFakeClasses] = {0.125f, 0.125f, 0.625f, 0.125f};
    batch.mutable_targets()->append(reinterpret_cast<const char*>(target), sizeof(target));
  }
  return batch;
}

v1::Views FakeServer::MakeViews(uint64_t step) {
  const v1::Batch batch = MakeBatch(step);
  v1::Views views;
  v1::ViewsHeader* header = views.mutable_header();
  *header->mutable_batch() = batch.header();
  header->mutable_batch()->clear_guess();
  header->set_images(kFakeRows);
  header->set_type(v1::UINT8);
  header->set_labelled_rows(kFakeRows - 1);
  header->set_unlabelled_rows(1);
  header->set_views(1);
  header->set_temperature(0.5);
  *header->mutable_sample() = batch.header().sample();
  *header->mutable_pool() = batch.header().pool();
  *header->mutable_view() = batch.header().view();
  views.set_pixels(batch.pixels());
  for (uint32_t image = 0; image < kFakeRows; ++image) {
    const bool guessed = image + 1 == kFakeRows;
    header->add_guess(guessed ? 0 : -1);
    const float target[kFakeClasses] = {guessed ? 0.0f : 1.0f};
    views.mutable_targets()->append(reinterpret_cast<const char*>(target), sizeof(target));
  }
  return views;
}

v1::OpenFeedResponse FakeServer::feed() {
  MutexLock lock(&state_->mu);
  return state_->feed;
}

void FakeServer::SetFeed(const v1::OpenFeedResponse& feed) {
  MutexLock lock(&state_->mu);
  state_->feed = feed;
}

void FakeServer::SetIndexProgress(const std::vector<double>& shares, const absl::Status& refusal) {
  MutexLock lock(&state_->mu);
  state_->index_refusal = refusal;
  state_->index_progress.assign(shares.begin(), shares.end());
}

void FakeServer::SetPlan(const v1::GetPlanResponse& plan) {
  MutexLock lock(&state_->mu);
  state_->plan = plan;
}

void FakeServer::SetPlanOf(uint64_t step, const v1::GetPlanResponse& plan) {
  MutexLock lock(&state_->mu);
  state_->plans_of_steps[step] = plan;
}

void FakeServer::SetFeeds(const std::vector<v1::FeedInfo>& feeds) {
  MutexLock lock(&state_->mu);
  state_->feeds = feeds;
}

void FakeServer::SetGuessStats(const v1::GetGuessStatsResponse& stats) {
  MutexLock lock(&state_->mu);
  state_->stats = stats;
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

std::vector<v1::OpenFeedRequest> FakeServer::opens() {
  MutexLock lock(&state_->mu);
  return state_->opens;
}

v1::OpenFeedRequest FakeServer::last_open() { return opens().back(); }

v1::GetBatchRequest FakeServer::last_get() {
  MutexLock lock(&state_->mu);
  return state_->last_get;
}

v1::RegisterModelHeader FakeServer::last_header() {
  MutexLock lock(&state_->mu);
  return state_->last_header;
}

v1::ForkRunRequest FakeServer::last_fork() {
  MutexLock lock(&state_->mu);
  return state_->last_fork;
}

v1::GetGuessStatsRequest FakeServer::last_stats() {
  MutexLock lock(&state_->mu);
  return state_->last_stats;
}

v1::PushWeightsHeader FakeServer::last_push() {
  MutexLock lock(&state_->mu);
  return state_->last_push;
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
  EXPECT_TRUE(Eventually([&] { return calls(method) >= count; })) << method;
}

void FakeServer::AwaitNoStreams() {
  EXPECT_TRUE(Eventually([&] {
    MutexLock lock(&state_->mu);
    return state_->live_streams == 0;
  }));
}

}  // namespace mixfeed::testing
