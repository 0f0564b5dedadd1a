#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
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

constexpr size_t kMaxChunkBytes = size_t{1} << 20;
// Archives are held in memory until they are registered.
constexpr int kMaxRegistrations = 2;

// One of the registrations that may be under way.
class Place {
 public:
  // Nothing when all places are taken.
  static std::optional<Place> Take(std::atomic<int>* taken) {
    for (int count = *taken; count < kMaxRegistrations;) {
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

// What all registrations use.
struct Desk {
  const ModelCalls* calls = nullptr;
  TaskPool* pool = nullptr;
  int64_t idle_limit_ms = 0;
  std::atomic<int> taken = 0;
};

// Receives one archive, then has it registered on the pool. Kept by itself until OnDone.
class Registration final : public grpc::ServerReadReactor<v1::RegisterModelRequest>,
                           public std::enable_shared_from_this<Registration> {
 public:
  Registration(Desk* desk, v1::RegisterModelResponse* response)
      : desk_(desk), response_(response), place_(Place::Take(&desk->taken)) {}

  void Begin() {
    self_ = shared_from_this();
    if (place_) return Read();
    End(absl::ResourceExhaustedError(
        absl::StrCat(kMaxRegistrations, " models are being registered already; try again later")));
  }

  void OnReadDone(bool ok) override {
    if (!StopWaiting(reads_)) return;  // the alarm has ended the call
    if (!ok) return Register();
    const absl::Status status = Take();
    if (!status.ok()) return End(status);
    Read();
  }

  void OnCancel() override { cancelled_.request_stop(); }

  void OnDone() override { const std::shared_ptr<Registration> last = std::move(self_); }

 private:
  // Waits for the next message, but not for ever, since the client keeps a place from others.
  void Read() {
    const auto deadline =
        std::chrono::system_clock::now() + std::chrono::milliseconds(desk_->idle_limit_ms);
    awaited_ = ++reads_;
    patience_ = std::make_unique<grpc::Alarm>();
    patience_->Set(deadline, [call = weak_from_this(), read = reads_](bool expired) {
      const std::shared_ptr<Registration> self = call.lock();
      if (expired && self && self->StopWaiting(read)) self->EndIdle();
    });
    StartRead(&request_);
  }

  // Whether `read` was still awaited: of its end and its alarm only the first goes on.
  bool StopWaiting(int64_t read) { return awaited_.compare_exchange_strong(read, 0); }

  void EndIdle() {
    End(absl::DeadlineExceededError(absl::StrCat(
        "the client sent nothing for ", desk_->idle_limit_ms, " ms, the server's idle limit")));
  }

  // Gives everything back before the client has its answer, and with it may come again.
  void End(const absl::Status& status) {
    archive_ = std::string();
    place_.reset();
    Finish(ToGrpc(status));
  }

  absl::Status Take() {
    if (request_.has_header() == has_header_) {
      return absl::InvalidArgumentError(has_header_ ? "kind: allowed after the first message: chunk"
                                                    : "kind: allowed as the first message: header");
    }
    if (!has_header_) {
      has_header_ = true;
      header_.Swap(request_.mutable_header());
      return desk_->calls->CheckMayRegister(header_);
    }
    if (!request_.has_chunk()) return absl::InvalidArgumentError("kind: is not set");
    return TakeChunk(request_.chunk());
  }

  absl::Status TakeChunk(const std::string& chunk) {
    if (chunk.size() > kMaxChunkBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("chunk has ", chunk.size(), " bytes; allowed: at most ", kMaxChunkBytes));
    }
    archive_ += chunk;
    if (archive_.size() <= header_.archive_bytes()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("the chunks have more than the ",
                                                   header_.archive_bytes(),
                                                   " bytes that header.archive_bytes says"));
  }

  void Register() {
    if (!has_header_) return End(absl::InvalidArgumentError("the header is missing"));
    const absl::Status queued = desk_->pool->Run([this] {
      End(Put(desk_->calls->RegisterModel(std::move(header_), std::move(archive_),
                                          cancelled_.get_token()),
              response_));
    });
    if (!queued.ok()) End(queued);
  }

  Desk* const desk_;
  v1::RegisterModelResponse* const response_;
  std::optional<Place> place_;
  std::shared_ptr<Registration> self_;
  std::stop_source cancelled_;
  int64_t reads_ = 0;
  std::atomic<int64_t> awaited_ = 0;       // which read; 0: none
  std::unique_ptr<grpc::Alarm> patience_;  // of the read that is awaited
  v1::RegisterModelRequest request_;       // the message being read
  v1::RegisterModelHeader header_;
  bool has_header_ = false;
  std::string archive_;
};

using Base = v1::ModelService::WithCallbackMethod_RegisterModel<
    v1::ModelService::WithCallbackMethod_ListModels<v1::ModelService::Service>>;

class ModelService final : public Base {
 public:
  ModelService(const ModelCalls* calls, int64_t idle_limit_ms, const CallPools& pools)
      : calls_(calls),
        desk_{.calls = calls, .pool = pools.registrations, .idle_limit_ms = idle_limit_ms} {}

  grpc::ServerReadReactor<v1::RegisterModelRequest>* RegisterModel(
      grpc::CallbackServerContext* /*context*/, v1::RegisterModelResponse* response) override {
    const auto registration = std::make_shared<Registration>(&desk_, response);
    registration->Begin();
    return registration.get();
  }

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* /*request*/,
                                       v1::ListModelsResponse* response) override {
    *response = calls_->ListModels();
    return AnswerNow(context, absl::OkStatus());
  }

 private:
  const ModelCalls* const calls_;
  Desk desk_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeModelService(const ModelCalls* calls, int64_t idle_limit_ms,
                                                const CallPools& pools) {
  return std::make_unique<ModelService>(calls, idle_limit_ms, pools);
}

}  // namespace mixfeed
