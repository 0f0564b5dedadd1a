#include "server/kserve/kserve_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"
#include "kserve/inference.grpc.pb.h"

namespace mixfeed {
namespace {

using Service = inference::GRPCInferenceService;

static_assert(std::endian::native == std::endian::little, "raw tensors are little-endian");

constexpr char kFloat32[] = "FP32";

// 256 rows of 32,767 classes, and more.
constexpr int kLargestAnswerBytes = 64 << 20;

// A lost server is tried again soon and often: batches wait for it.
constexpr int kFirstRemoteReconnectMs = 50;
constexpr int kLongestRemoteReconnectMs = 500;
// How long one attempt to connect may take. gRPC names the argument for its other effect.
constexpr int kRemoteConnectTimeoutMs = 5000;
// A server that is gone without a word is noticed after the two together.
constexpr int kRemoteKeepaliveMs = 30'000;
constexpr int kRemoteKeepaliveTimeoutMs = 10'000;

std::shared_ptr<grpc::Channel> MakeRemoteChannel(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kLargestAnswerBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstRemoteReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestRemoteReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kRemoteConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kRemoteKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kRemoteKeepaliveTimeoutMs);
  // Two models of one server must not share what is remembered of a failed connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status StatusOfCall(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

template <typename Tensor>
RemoteTensor TensorOfMessage(const Tensor& tensor) {
  return {tensor.name(), tensor.datatype(), {tensor.shape().begin(), tensor.shape().end()}};
}

absl::StatusOr<std::vector<float>> ReadOutputs(const inference::ModelInferResponse& response,
                                               const RemoteQuestion& question) {
  const auto wanted = static_cast<size_t>(question.rows) * static_cast<size_t>(question.classes);
  for (int i = 0; i < response.outputs_size(); ++i) {
    const auto& output = response.outputs(i);
    if (output.name() != question.output) continue;
    const RemoteTensor tensor = TensorOfMessage(output);
    if (tensor.datatype != kFloat32 ||
        tensor.shape != std::vector<int64_t>{question.rows, question.classes}) {
      return absl::DataLossError(absl::StrCat("its answer is ", tensor.Text(), "; wanted is ",
                                              kFloat32, " [", question.rows, ", ", question.classes,
                                              "]"));
    }
    std::vector<float> values(output.contents().fp32_contents().begin(),
                              output.contents().fp32_contents().end());
    size_t bytes = values.size() * sizeof(float);
    if (i < response.raw_output_contents_size()) {
      const std::string& raw = response.raw_output_contents(i);
      bytes = raw.size();
      values.resize(bytes / sizeof(float));
      std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
    }
    if (bytes == wanted * sizeof(float)) return values;
    return absl::DataLossError(absl::StrCat("its answer ", tensor.Text(), " has ", bytes,
                                            " bytes; wanted are ", wanted * sizeof(float)));
  }
  return absl::DataLossError(absl::StrCat("its answer has no output \"", question.output, "\""));
}

// A request under way.
struct Inference {
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<inference::ModelInferResponse>> reader;
  RemoteQuestion question;  // without its views
  std::function<void(absl::StatusOr<RemoteAnswer>)> done;

  void Finish() {
    if (!status.ok()) return done(StatusOfCall(status));
    absl::StatusOr<std::vector<float>> outputs = ReadOutputs(response, question);
    if (!outputs.ok()) return done(outputs.status());
    done(RemoteAnswer{response.model_version(), *std::move(outputs)});
  }
};

}  // namespace

std::string RemoteTensor::Text() const {
  return absl::StrCat(name, " ", datatype, " [", absl::StrJoin(shape, ", "), "]");
}

// Requests are received by a thread of this, and not by gRPC's callbacks: the last call of a
// channel must not end, and take the channel with it, on a thread of gRPC's.
struct KserveClient::Impl {
  explicit Impl(const KserveAddress& its_address)
      : address(its_address), stub(Service::NewStub(MakeRemoteChannel(address.server))) {}

  const KserveAddress address;
  const std::unique_ptr<Service::Stub> stub;
  grpc::CompletionQueue queue;
  Mutex mu;
  std::set<std::unique_ptr<Inference>> under_way ABSL_GUARDED_BY(mu);
  bool stopped ABSL_GUARDED_BY(mu) = false;

  void Receive() {
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
      std::unique_ptr<Inference> call = Remove(static_cast<Inference*>(tag));
      call->Finish();
    }
  }

  std::unique_ptr<Inference> Remove(const Inference* call) {
    MutexLock lock(&mu);
    const auto found = std::find_if(under_way.begin(), under_way.end(),
                                    [&](const auto& known) { return known.get() == call; });
    return std::move(under_way.extract(found).value());
  }

  // The last member: it uses all others.
  std::thread receiver{[this] { Receive(); }};
};

KserveClient::KserveClient(const KserveAddress& address) : impl_(std::make_unique<Impl>(address)) {}

KserveClient::~KserveClient() {
  Stop();
  impl_->queue.Shutdown();
  impl_->receiver.join();
}

void KserveClient::Stop() const {
  MutexLock lock(&impl_->mu);
  impl_->stopped = true;
  for (const auto& call : impl_->under_way) call->context.TryCancel();
}

absl::StatusOr<RemoteModel> KserveClient::Describe(Milliseconds deadline,
                                                   const std::stop_token& stop) const {
  const auto until = std::chrono::system_clock::now() + deadline;
  const auto call = [&](const auto& method) {
    grpc::ClientContext context;
    context.set_deadline(until);
    const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
    return StatusOfCall(method(&context));
  };
  inference::ModelReadyRequest ready;
  ready.set_name(impl_->address.model);
  ready.set_version(impl_->address.version);
  inference::ModelReadyResponse readiness;
  MIXFEED_RETURN_IF_ERROR(
      call([&](auto* context) { return impl_->stub->ModelReady(context, ready, &readiness); }));
  if (!readiness.ready()) {
    return absl::UnavailableError(absl::StrCat("the server has no model \"", impl_->address.model,
                                               "\"",
                                               impl_->address.version.empty() ? "" : " of version ",
                                               impl_->address.version, " that is ready"));
  }
  inference::ModelMetadataRequest request;
  request.set_name(impl_->address.model);
  request.set_version(impl_->address.version);
  inference::ModelMetadataResponse metadata;
  MIXFEED_RETURN_IF_ERROR(
      call([&](auto* context) { return impl_->stub->ModelMetadata(context, request, &metadata); }));
  RemoteModel model;
  model.versions = {metadata.versions().begin(), metadata.versions().end()};
  model.platform = metadata.platform();
  for (const auto& input : metadata.inputs()) model.inputs.push_back(TensorOfMessage(input));
  for (const auto& output : metadata.outputs()) model.outputs.push_back(TensorOfMessage(output));
  return model;
}

void KserveClient::Ask(const RemoteQuestion& question, Milliseconds deadline,
                       std::function<void(absl::StatusOr<RemoteAnswer>)> done) const {
  auto call = std::make_unique<Inference>();
  call->context.set_deadline(std::chrono::system_clock::now() + deadline);
  call->question = question;
  call->question.views = {};
  call->done = std::move(done);
  inference::ModelInferRequest request;
  request.set_model_name(impl_->address.model);
  request.set_model_version(impl_->address.version);
  auto* const input = request.add_inputs();
  input->set_name(question.input);
  input->set_datatype(kFloat32);
  for (const int size :
       {question.rows, question.image.channels, question.image.height, question.image.width}) {
    input->add_shape(size);
  }
  request.add_outputs()->set_name(question.output);
  request.add_raw_input_contents(question.views.data(), question.views.size_bytes());
  MutexLock lock(&impl_->mu);
  Inference* const sent = impl_->under_way.insert(std::move(call)).first->get();
  sent->reader = impl_->stub->AsyncModelInfer(&sent->context, request, &impl_->queue);
  sent->reader->Finish(&sent->response, &sent->status, sent);
  if (impl_->stopped) sent->context.TryCancel();
}

}  // namespace mixfeed
