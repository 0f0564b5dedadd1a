#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
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

// Counts the registrations under way.
class Place {
 public:
  explicit Place(std::atomic<int>* taken) : taken_(taken), number_(++*taken) {}
  ~Place() { --*taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool ok() const { return number_ <= kMaxRegistrations; }

 private:
  std::atomic<int>* const taken_;
  const int number_;
};

// Receives one archive, then has it registered on the pool.
class Registration final : public grpc::ServerReadReactor<v1::RegisterModelRequest> {
 public:
  Registration(const ModelCalls* calls, TaskPool* pool, std::atomic<int>* taken,
               grpc::CallbackServerContext* context, v1::RegisterModelResponse* response)
      : calls_(calls), pool_(pool), context_(context), response_(response), place_(taken) {}

  void Begin(std::unique_ptr<Registration> self) {
    self_ = std::move(self);
    if (place_.ok()) return StartRead(&request_);
    Finish(ToGrpc(absl::ResourceExhaustedError(
        absl::StrCat(kMaxRegistrations, " models are being registered already; try again later"))));
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Register();
    const absl::Status status = Take();
    if (!status.ok()) return Finish(ToGrpc(status));
    StartRead(&request_);
  }

  void OnDone() override { const std::unique_ptr<Registration> last = std::move(self_); }

 private:
  absl::Status Take() {
    if (request_.has_header() == has_header_) {
      return absl::InvalidArgumentError(has_header_ ? "kind: allowed after the first message: chunk"
                                                    : "kind: allowed as the first message: header");
    }
    if (!has_header_) {
      has_header_ = true;
      header_.Swap(request_.mutable_header());
      return calls_->CheckMayRegister(header_);
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
    if (!has_header_) {
      return Finish(ToGrpc(absl::InvalidArgumentError("the header is missing")));
    }
    const absl::Status queued = pool_->Run([this] {
      if (context_->IsCancelled()) return Finish(grpc::Status::CANCELLED);
      Finish(ToGrpc(Put(calls_->RegisterModel(std::move(header_), archive_), response_)));
    });
    if (!queued.ok()) Finish(ToGrpc(queued));
  }

  const ModelCalls* const calls_;
  TaskPool* const pool_;
  grpc::CallbackServerContext* const context_;
  v1::RegisterModelResponse* const response_;
  const Place place_;
  std::unique_ptr<Registration> self_;
  v1::RegisterModelRequest request_;  // the message being read
  v1::RegisterModelHeader header_;
  bool has_header_ = false;
  std::string archive_;
};

using Base = v1::ModelService::WithCallbackMethod_RegisterModel<
    v1::ModelService::WithCallbackMethod_ListModels<v1::ModelService::Service>>;

class ModelService final : public Base {
 public:
  ModelService(const ModelCalls* calls, TaskPool* pool) : calls_(calls), pool_(pool) {}

  grpc::ServerReadReactor<v1::RegisterModelRequest>* RegisterModel(
      grpc::CallbackServerContext* context, v1::RegisterModelResponse* response) override {
    auto owner = std::make_unique<Registration>(calls_, pool_, &registrations_, context, response);
    Registration* const registration = owner.get();
    registration->Begin(std::move(owner));
    return registration;
  }

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* /*request*/,
                                       v1::ListModelsResponse* response) override {
    *response = calls_->ListModels();
    return AnswerNow(context, absl::OkStatus());
  }

 private:
  const ModelCalls* const calls_;
  TaskPool* const pool_;
  std::atomic<int> registrations_ = 0;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeModelService(const ModelCalls* calls, TaskPool* pool) {
  return std::make_unique<ModelService>(calls, pool);
}

}  // namespace mixfeed
