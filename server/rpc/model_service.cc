#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "mixfeed/v1/model.grpc.pb.h"
#include "server/rpc/answer.h"
#include "server/rpc/grpc_status.h"
#include "server/rpc/services.h"

namespace mixfeed {
namespace {

// Largest chunk of an upload.
constexpr size_t kMaxChunkBytes = size_t{1} << 20;

// Of an upload, reserved before its chunks have come: no more on the header's word alone.
constexpr uint64_t kMostReservedBytes = uint64_t{16} << 20;

// One of the uploads of a kind that may be under way.
class Place {
 public:
  // Nothing when all `places` are taken.
  static std::optional<Place> Take(std::atomic<int>* taken, int places) {
    for (int count = *taken; count < places;) {
      if (taken->compare_exchange_weak(count, count + 1)) return Place(taken);
    }
    return std::nullopt;
  }
  ~Place() {
    if (taken_ != nullptr) --*taken_;
  }
  Place(Place&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
  Place& operator=(Place&&) = delete;

 private:
  explicit Place(std::atomic<int>* taken) : taken_(taken) {}

  std::atomic<int>* taken_;
};

// What all uploads of a kind use.
template <typename Header, typename Response>
struct UploadDesk {
  const char* what = "";  // "models are being registered": of those that hold the places
  int places = 1;         // what is uploaded is held in memory until it is done
  // Before the chunks are received.
  std::function<absl::Status(const Header&)> check;
  // Of the chunks together, as the header says; and the header's name for it.
  std::function<uint64_t(const Header&)> bytes;
  const char* bytes_field = "";
  // On the pool, when all has come. Cancelled when `stop` was requested.
  std::function<absl::StatusOr<Response>(Header, std::string bytes, std::stop_token stop)> done;
  TaskPool* pool = nullptr;
  int64_t idle_limit_ms = 0;  // for the next message
  std::atomic<int> taken = 0;
};

// Receives a header and then its bytes in chunks, in messages with the fields `header` and `chunk`,
// and has them dealt with on the pool. Kept by itself until OnDone.
template <typename Request, typename Header, typename Response>
class Upload final : public grpc::ServerReadReactor<Request>,
                     public std::enable_shared_from_this<Upload<Request, Header, Response>> {
 public:
  using Desk = UploadDesk<Header, Response>;

  Upload(Desk* desk, Response* response)
      : desk_(desk), response_(response), place_(Place::Take(&desk->taken, desk->places)) {}

  static grpc::ServerReadReactor<Request>* Start(Desk* desk, Response* response) {
    const auto upload = std::make_shared<Upload>(desk, response);
    upload->Begin();
    return upload.get();
  }

  void OnReadDone(bool ok) override {
    if (!StopWaiting(reads_)) return;  // the alarm has ended the call
    if (!ok) return Complete();
    const absl::Status status = Take();
    if (!status.ok()) return End(status);
    Read();
  }

  void OnCancel() override { cancelled_.request_stop(); }

  void OnDone() override { const std::shared_ptr<Upload> last = std::move(self_); }

 private:
  void Begin() {
    self_ = this->shared_from_this();
    if (place_) return Read();
    End(absl::ResourceExhaustedError(
        absl::StrCat(desk_->places, " ", desk_->what, " already; try again later")));
  }

  // Waits for the next message, but not for ever, since the client keeps a place from others.
  void Read() {
    const auto deadline =
        std::chrono::system_clock::now() + std::chrono::milliseconds(desk_->idle_limit_ms);
    awaited_ = ++reads_;
    patience_ = std::make_unique<grpc::Alarm>();
    patience_->Set(deadline, [call = this->weak_from_this(), read = reads_](bool expired) {
      const std::shared_ptr<Upload> self = call.lock();
      if (expired && self && self->StopWaiting(read)) self->EndIdle();
    });
    this->StartRead(&request_);
  }

  // Whether `read` was still awaited: of its end and its alarm only the first goes on.
  bool StopWaiting(int64_t read) { return awaited_.compare_exchange_strong(read, 0); }

  void EndIdle() {
    End(absl::DeadlineExceededError(absl::StrCat(
        "the client sent nothing for ", desk_->idle_limit_ms, " ms, the server's idle limit")));
  }

  void EndWithoutHeader() {
    End(absl::InvalidArgumentError(
        "the call ended without a message; allowed: a header, then its bytes in chunks"));
  }

  // Gives everything back before the client has its answer, and with it may come again.
  void End(const absl::Status& status) {
    bytes_ = std::string();
    place_.reset();
    this->Finish(ToGrpc(status));
  }

  absl::Status Take() {
    if (!has_header_) {
      if (!request_.has_header()) return WrongKind("header, as the first message");
      has_header_ = true;
      header_.Swap(request_.mutable_header());
      MIXFEED_RETURN_IF_ERROR(desk_->check(header_));
      bytes_.reserve(std::min<uint64_t>(desk_->bytes(header_), kMostReservedBytes));
      return absl::OkStatus();
    }
    if (!request_.has_chunk()) return WrongKind("chunk, after the first message");
    return TakeChunk(request_.chunk());
  }

  absl::Status WrongKind(const char* allowed) const {
    const char* const given = request_.has_header()  ? "header"
                              : request_.has_chunk() ? "chunk"
                                                     : "not set";
    return absl::InvalidArgumentError(absl::StrCat("kind is ", given, "; allowed: ", allowed));
  }

  absl::Status TakeChunk(const std::string& chunk) {
    if (chunk.size() > kMaxChunkBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("chunk has ", chunk.size(), " bytes; allowed: at most ", kMaxChunkBytes));
    }
    bytes_ += chunk;
    if (bytes_.size() <= desk_->bytes(header_)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("the chunks have more than the ",
                                                   desk_->bytes(header_), " bytes that header.",
                                                   desk_->bytes_field, " says"));
  }

  void Complete() {
    if (!has_header_) return EndWithoutHeader();
    const absl::Status queued = desk_->pool->Run([this] {
      End(Put(desk_->done(std::move(header_), std::move(bytes_), cancelled_.get_token()),
              response_));
    });
    if (!queued.ok()) End(queued);
  }

  Desk* const desk_;
  Response* const response_;
  std::optional<Place> place_;
  std::shared_ptr<Upload> self_;
  std::stop_source cancelled_;
  int64_t reads_ = 0;
  std::atomic<int64_t> awaited_ = 0;       // which read; 0: none
  std::unique_ptr<grpc::Alarm> patience_;  // of the read that is awaited
  Request request_;                        // the message being read
  Header header_;
  bool has_header_ = false;
  std::string bytes_;
};

constexpr int kMaxRegistrations = 2;
constexpr int kMaxPushes = 4;

using ModelMethods = v1::ModelService::WithCallbackMethod_RegisterModel<
    v1::ModelService::WithCallbackMethod_PushWeights<
        v1::ModelService::WithCallbackMethod_ListModels<v1::ModelService::Service>>>;

class ModelService final : public ModelMethods {
 public:
  ModelService(const ModelCalls* calls, int64_t idle_limit_ms, const CallPools& pools)
      : calls_(calls),
        registrations_{
            .what = "models are being registered",
            .places = kMaxRegistrations,
            .check = [calls](const auto& header) { return calls->CheckMayRegister(header); },
            .bytes = [](const auto& header) { return header.archive_bytes(); },
            .bytes_field = "archive_bytes",
            .done =
                [calls](auto header, std::string archive, std::stop_token stop) {
                  return calls->RegisterModel(std::move(header), std::move(archive),
                                              std::move(stop));
                },
            .pool = pools.registrations,
            .idle_limit_ms = idle_limit_ms},
        pushes_{.what = "pushes are under way",
                .places = kMaxPushes,
                .check = [calls](const auto& header) { return calls->CheckMayPush(header); },
                .bytes = [](const auto& header) { return header.weights_bytes(); },
                .bytes_field = "weights_bytes",
                .done =
                    [calls](auto header, std::string weights, std::stop_token stop) {
                      return calls->PushWeights(header, std::move(weights), std::move(stop));
                    },
                .pool = pools.pushes,
                .idle_limit_ms = idle_limit_ms} {}

  grpc::ServerReadReactor<v1::RegisterModelRequest>* RegisterModel(
      grpc::CallbackServerContext* /*context*/, v1::RegisterModelResponse* response) override {
    return Upload<v1::RegisterModelRequest, v1::RegisterModelHeader,
                  v1::RegisterModelResponse>::Start(&registrations_, response);
  }

  grpc::ServerReadReactor<v1::PushWeightsRequest>* PushWeights(
      grpc::CallbackServerContext* /*context*/, v1::PushWeightsResponse* response) override {
    return Upload<v1::PushWeightsRequest, v1::PushWeightsHeader, v1::PushWeightsResponse>::Start(
        &pushes_, response);
  }

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* /*request*/,
                                       v1::ListModelsResponse* response) override {
    *response = calls_->ListModels();
    return AnswerNow(context, absl::OkStatus());
  }

 private:
  const ModelCalls* const calls_;
  UploadDesk<v1::RegisterModelHeader, v1::RegisterModelResponse> registrations_;
  UploadDesk<v1::PushWeightsHeader, v1::PushWeightsResponse> pushes_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeModelService(const ModelCalls* calls, int64_t idle_limit_ms,
                                                const CallPools& pools) {
  return std::make_unique<ModelService>(calls, idle_limit_ms, pools);
}

}  // namespace mixfeed
