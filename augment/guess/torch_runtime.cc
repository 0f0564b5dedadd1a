#include "augment/guess/torch_runtime.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/print_handler.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/model_check.h"
#include "augment/guess/network.h"
#include "augment/guess/serial_thread.h"
#include "augment/guess/torch_environment.h"
#include "augment/guess/torch_errors.h"

namespace mixfeed {
namespace {

LoadNetwork FindLoader(const std::string& kind) {
  return kind == kTorchScriptKind ? &LoadTorchScript : &LoadBuiltinNetwork;
}

absl::Status WithModelName(const std::string& name, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("guess model ", name, ": ", status.message()));
}

// Models that print must not write into what a program prints.
void PrintToStandardError(const std::string& text) { std::cerr << text; }

class TorchModel : public GuessModel {
 public:
  // `batch_statistics` says whether the network can use them, and if not why.
  TorchModel(GuessModelInfo info, SerialThread* thread, std::unique_ptr<Network> network,
             absl::Status batch_statistics)
      : info_(std::move(info)),
        thread_(thread),
        network_(std::move(network)),
        batch_statistics_(std::move(batch_statistics)) {}

  const GuessModelInfo& info() const override { return info_; }

  absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                     std::span<float> probabilities) override {
    MIXFEED_RETURN_IF_ERROR(CheckSizes(views, rows, probabilities));
    if (batch_statistics && !batch_statistics_.ok()) {
      return WithModelName(info_.name, batch_statistics_);
    }
    absl::Status status;
    thread_->Run([&] {
      status = CatchTorchErrors(absl::StatusCode::kInternal, [&] {
        return ForwardProbabilities(info_, network_.get(), views, rows, batch_statistics,
                                    probabilities);
      });
    });
    return WithModelName(info_.name, status);
  }

 private:
  absl::Status CheckSizes(std::span<const float> views, int rows,
                          std::span<float> probabilities) const {
    if (rows >= 1 && std::cmp_equal(views.size(), rows * info_.input.pixels()) &&
        std::cmp_equal(probabilities.size(), int64_t{rows} * info_.classes)) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "guess model ", info_.name, ": ", views.size(), " floats in and ", probabilities.size(),
        " out for ", rows, " rows; it takes ", info_.input.pixels(), " and gives ", info_.classes,
        " a row, and at least 1 row"));
  }

  const GuessModelInfo info_;
  SerialThread* const thread_;
  const std::unique_ptr<Network> network_;  // used on the thread only
  const absl::Status batch_statistics_;
};

}  // namespace

class TorchRuntime::Impl {
 public:
  explicit Impl(int guess_threads) {
    thread_.Run([&] {
      SetOperatorThreads(guess_threads);
      torch::jit::setPrintHandler(PrintToStandardError);
      environment_ = TorchEnvironment(guess_threads);
    });
  }

  absl::StatusOr<std::shared_ptr<GuessModel>> Load(const ModelSource& source) {
    std::shared_ptr<GuessModel> model;
    absl::Status status;
    thread_.Run([&] { status = LoadOnThread(source, &model); });
    if (!status.ok()) return WithModelName(source.info.name, status);
    return model;
  }

  absl::StatusOr<std::string> InitialWeights(const ModelSource& source) {
    std::string weights;
    absl::Status status;
    thread_.Run([&] {
      status = CatchTorchErrors(absl::StatusCode::kInternal, [&] {
        MIXFEED_ASSIGN_OR_RETURN(weights, WriteInitialWeights(source));
        return absl::OkStatus();
      });
    });
    if (!status.ok()) return status;
    return weights;
  }

  const std::string& environment() const { return environment_; }

 private:
  absl::Status LoadOnThread(const ModelSource& source, std::shared_ptr<GuessModel>* model) {
    MIXFEED_RETURN_IF_ERROR(CheckInfo(source.info));
    std::unique_ptr<Network> network;
    MIXFEED_RETURN_IF_ERROR(CatchTorchErrors(absl::StatusCode::kInvalidArgument, [&] {
      MIXFEED_ASSIGN_OR_RETURN(network, FindLoader(source.info.kind)(source));
      return CheckNetwork(source.info, network.get());
    }));
    absl::Status batch_statistics = CatchTorchErrors(absl::StatusCode::kInvalidArgument, [&] {
      return CheckBatchStatistics(source.info, network.get());
    });
    if (source.batch_statistics) MIXFEED_RETURN_IF_ERROR(batch_statistics);
    GuessModelInfo info = source.info;
    info.environment = environment_;
    *model = std::make_shared<TorchModel>(std::move(info), &thread_, std::move(network),
                                          std::move(batch_statistics));
    return absl::OkStatus();
  }

  std::string environment_;
  SerialThread thread_;
};

TorchRuntime::TorchRuntime(int guess_threads)
    : impl_(std::make_unique<Impl>(std::max(1, guess_threads))) {}
TorchRuntime::~TorchRuntime() = default;

absl::StatusOr<std::shared_ptr<GuessModel>> TorchRuntime::Load(const ModelSource& source) {
  return impl_->Load(source);
}

absl::StatusOr<std::string> TorchRuntime::InitialWeights(const ModelSource& source) {
  return impl_->InitialWeights(source);
}

std::string TorchRuntime::environment() const { return impl_->environment(); }

}  // namespace mixfeed
