#include "tests/server/kserve/fake_kserve.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace mixfeed::testing {
namespace {

void Describe(const std::string& name, const std::vector<int64_t>& shape,
              inference::ModelMetadataResponse::TensorMetadata* tensor) {
  tensor->set_name(name);
  tensor->set_datatype("FP32");
  for (const int64_t size : shape) tensor->add_shape(size);
}

}  // namespace

FakeKserve::FakeKserve(int channels, int side, int classes) : classes_(classes) {
  inference::ModelMetadataResponse* const metadata = &behaviour_.metadata;
  metadata->set_name("net");
  metadata->add_versions(behaviour_.versions[0]);
  metadata->set_platform("fake");
  Describe("views", {-1, channels, side, side}, metadata->add_inputs());
  Describe("logits", {-1, classes}, metadata->add_outputs());
  Start();
}

FakeKserve::~FakeKserve() { Stop(); }

std::string FakeKserve::address() const { return absl::StrCat("127.0.0.1:", port_, "/net"); }

void FakeKserve::Change(const std::function<void(Behaviour*)>& change) {
  MutexLock lock(&mu_);
  change(&behaviour_);
  released_.NotifyAll();
}

void FakeKserve::Stop() {
  Change([](Behaviour* behaviour) { behaviour->held = false; });
  if (server_) server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
}

void FakeKserve::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port_), grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(64 << 20);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port_ == 0) std::abort();
}

std::vector<int> FakeKserve::rows() const {
  MutexLock lock(&mu_);
  return rows_;
}

int FakeKserve::under_way() const {
  MutexLock lock(&mu_);
  return under_way_;
}

int FakeKserve::most_under_way() const {
  MutexLock lock(&mu_);
  return most_under_way_;
}

grpc::Status FakeKserve::ModelReady(grpc::ServerContext* /*context*/,
                                    const inference::ModelReadyRequest* request,
                                    inference::ModelReadyResponse* response) {
  MutexLock lock(&mu_);
  response->set_ready(behaviour_.ready && request->name() == "net");
  return grpc::Status::OK;
}

grpc::Status FakeKserve::ModelMetadata(grpc::ServerContext* /*context*/,
                                       const inference::ModelMetadataRequest* /*request*/,
                                       inference::ModelMetadataResponse* response) {
  MutexLock lock(&mu_);
  *response = behaviour_.metadata;
  return grpc::Status::OK;
}

grpc::Status FakeKserve::ModelInfer(grpc::ServerContext* /*context*/,
                                    const inference::ModelInferRequest* request,
                                    inference::ModelInferResponse* response) {
  MutexLock lock(&mu_);
  rows_.push_back(static_cast<int>(request->inputs(0).shape(0)));
  most_under_way_ = std::max(most_under_way_, ++under_way_);
  while (behaviour_.held) released_.Wait(&mu_);
  --under_way_;
  return Answer(*request, response);
}

grpc::Status FakeKserve::Answer(const inference::ModelInferRequest& request,
                                inference::ModelInferResponse* response) {
  if (!behaviour_.failures.empty()) {
    const grpc::Status failure = behaviour_.failures.front();
    behaviour_.failures.pop_front();
    return failure;
  }
  const int64_t rows = request.inputs(0).shape(0);
  if (rows > behaviour_.most_rows) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            absl::StrCat("inference request batch-size must be <= ", behaviour_.most_rows)};
  }
  std::vector<float> views(request.raw_input_contents(0).size() / sizeof(float));
  std::memcpy(views.data(), request.raw_input_contents(0).data(), views.size() * sizeof(float));
  const auto pixels = static_cast<std::ptrdiff_t>(views.size()) / rows;
  std::vector<float> logits;
  for (auto row = views.begin(); row != views.end(); row += pixels) {
    const double mean = std::accumulate(row, row + pixels, 0.0) / static_cast<double>(pixels);
    for (int c = 1; c <= classes_; ++c) logits.push_back(static_cast<float>(mean * c));
  }
  response->set_model_name("net");
  response->set_model_version(behaviour_.versions.front());
  std::rotate(behaviour_.versions.begin(), behaviour_.versions.begin() + 1,
              behaviour_.versions.end());
  auto* const output = response->add_outputs();
  output->set_name(request.outputs(0).name());
  output->set_datatype("FP32");
  output->add_shape(rows);
  output->add_shape(classes_);
  response->add_raw_output_contents(logits.data(), logits.size() * sizeof(float));
  if (behaviour_.spoil) behaviour_.spoil(response);
  return grpc::Status::OK;
}

}  // namespace mixfeed::testing
