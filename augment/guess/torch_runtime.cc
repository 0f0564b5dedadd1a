// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/print_handler.h>

#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/model_check.h"
#include "augment/guess/network.h"
#include "augment/guess/torch_environment.h"
#include "augment/guess/torch_errors.h"
#include "augment/guess/torch_runtime.h"
#include "augment/guess/worker_threads.h"

namespace mixfeed {
namespace {

// As many passes at once as the server makes batches at once. Two passes with a thread each are
// faster than one pass after the other with two threads (5,250 against 4,150 images/s of the small
// network on two idle cores), and far faster where threads of others run, too: LibTorch's threads
// meet after every operator and spin while they wait.
constexpr int kMaxWorkers = 2;

LoadNetwork FindLoader(const std::string& kind) {
  return kind == kTorchScriptKind ? &LoadTorchScript : &LoadBuiltinNetwork;
}

// Models that print must not write into what a program prints.
void PrintToStandardError(const std::string& text) { std::cerr << text; }

// One for each worker, which alone uses it where it is not thread safe.
using Networks = std::vector<std::shared_ptr<Network>>;

// Whether a network can use batch and running statistics, and if not why.
struct Fitness {
  absl::Status batch;
  absl::Status running;

  const absl::Status& For(bool batch_statistics) const {
    return batch_statistics ? batch : running;
  }
};

absl::StatusOr<StateDict> NoWeights() {
  MIXFEED_ASSIGN_OR_RETURN(std::string none, WriteSafetensors({}));
  return StateDict::Parse(std::move(none));
}

absl::StatusOr<Networks> NetworksFor(int workers, const std::shared_ptr<Network>& original) {
  const auto count = static_cast<size_t>(workers);
  if (original->IsThreadSafe()) return Networks(count, original);
  MIXFEED_ASSIGN_OR_RETURN(const StateDict none, NoWeights());
  Networks networks;
  while (networks.size() < count) {
    MIXFEED_ASSIGN_OR_RETURN(networks.emplace_back(), original->CloneWith(none, /*whole=*/false));
  }
  return networks;
}

// DigestOf(network.Weights()) of a network with the values of `given`. Writing them takes
// milliseconds, which whole weights in the network's own form, as trainers push them, do without.
absl::StatusOr<std::string> DigestOfWeights(const Network& network, const StateDict& given) {
  if (network.WouldWrite(given)) return DigestOf(given.bytes());
  MIXFEED_ASSIGN_OR_RETURN(const std::string written, network.Weights());
  return DigestOf(written);
}

class TorchModel : public GuessModel {
 public:
  // `networks`: NetworksFor `original`, which makes no passes unless it is one of them.
  TorchModel(GuessModelInfo info, WorkerThreads* workers, std::shared_ptr<const Network> original,
             Networks networks, Fitness fitness)
      : info_(std::move(info)),
        workers_(workers),
        original_(std::move(original)),
        networks_(std::move(networks)),
        fitness_(std::move(fitness)) {}

  const GuessModelInfo& info() const override { return info_; }

  absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                     std::span<float> probabilities) override {
    return GuessPasses(views, 1, rows, batch_statistics, probabilities);
  }

  absl::Status GuessPasses(std::span<const float> views, int passes, int rows,
                           bool batch_statistics, std::span<float> probabilities) override {
    MIXFEED_RETURN_IF_ERROR(CheckSizes(views, passes, rows, probabilities.size()));
    const absl::Status& fit = fitness_.For(batch_statistics);
    if (!fit.ok()) return WithModelName(info_.name, fit);
    const size_t view_floats = views.size() / static_cast<size_t>(passes);
    const size_t guess_floats = probabilities.size() / static_cast<size_t>(passes);
    std::vector<absl::Status> statuses(static_cast<size_t>(passes));
    workers_->Run(passes, [&](int pass, int worker) {
      Network* const network = networks_[static_cast<size_t>(worker)].get();
      const auto at = static_cast<size_t>(pass);
      statuses[at] = CatchTorchErrors(absl::StatusCode::kInternal, [&] {
        return ForwardProbabilities(info_, network, views.subspan(view_floats * at, view_floats),
                                    rows, batch_statistics,
                                    probabilities.subspan(guess_floats * at, guess_floats));
      });
    });
    for (const absl::Status& status : statuses) {
      MIXFEED_RETURN_IF_ERROR(WithModelName(info_.name, status));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<GuessModel>> WithWeights(const StateDict& weights, bool whole,
                                                          int64_t version,
                                                          int64_t update) const override {
    std::shared_ptr<GuessModel> model;
    const absl::Status status = CatchTorchErrors(absl::StatusCode::kInvalidArgument, [&] {
      MIXFEED_RETURN_IF_ERROR(CheckFinite(weights));
      MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<Network> original,
                               original_->CloneWith(weights, whole));
      MIXFEED_ASSIGN_OR_RETURN(Networks networks, NetworksFor(workers_->count(), original));
      GuessModelInfo info = info_;
      info.version = version;
      info.update = update;
      MIXFEED_ASSIGN_OR_RETURN(info.weights, DigestOfWeights(*original, weights));
      model = std::make_shared<TorchModel>(std::move(info), workers_, std::move(original),
                                           std::move(networks), fitness_);
      return absl::OkStatus();
    });
    if (!status.ok()) return WithModelName(info_.name, status);
    return model;
  }

  absl::StatusOr<std::string> Weights() const override {
    return Written([&] { return original_->Weights(); });
  }

  absl::StatusOr<std::string> Average(const StateDict& average, double decay) const override {
    return Written([&] { return original_->Average(average, decay); });
  }

  absl::StatusOr<std::vector<float>> Features(std::span<const float> views, int rows) override {
    const auto classes = static_cast<size_t>(rows) * static_cast<size_t>(info_.classes);
    MIXFEED_RETURN_IF_ERROR(CheckSizes(views, 1, rows, classes));
    std::vector<float> features;
    absl::Status status;
    workers_->Run(1, [&](int, int worker) {
      Network* const network = networks_[static_cast<size_t>(worker)].get();
      status = CatchTorchErrors(absl::StatusCode::kFailedPrecondition, [&] {
        MIXFEED_ASSIGN_OR_RETURN(features, ForwardFeatures(info_, network, views, rows));
        return absl::OkStatus();
      });
    });
    if (!status.ok()) return WithModelName(info_.name, status);
    return features;
  }

 private:
  // What `write` returns, a StatusOr<std::string>.
  template <typename Write>
  absl::StatusOr<std::string> Written(Write write) const {
    std::string weights;
    const absl::Status status = CatchTorchErrors(absl::StatusCode::kInternal, [&] {
      MIXFEED_ASSIGN_OR_RETURN(weights, write());
      return absl::OkStatus();
    });
    if (!status.ok()) return WithModelName(info_.name, status);
    return weights;
  }

  absl::Status CheckSizes(std::span<const float> views, int passes, int rows,
                          size_t probabilities) const {
    if (passes >= 1 && rows >= 1 &&
        std::cmp_equal(views.size(), int64_t{passes} * rows * info_.input.pixels()) &&
        std::cmp_equal(probabilities, int64_t{passes} * rows * info_.classes)) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "guess model ", info_.name, ": ", views.size(), " floats in and ", probabilities,
        " out for ", passes, " passes over ", rows, " rows; it takes ", info_.input.pixels(),
        " and gives ", info_.classes, " a row, and at least 1 row and pass"));
  }

  const GuessModelInfo info_;
  WorkerThreads* const workers_;
  const std::shared_ptr<const Network> original_;
  const Networks networks_;
  const Fitness fitness_;
};

}  // namespace

class TorchRuntime::Impl {
 public:
  explicit Impl(int guess_threads)
      : operator_threads_(std::max(1, guess_threads / kMaxWorkers)),
        environment_(TorchEnvironment(operator_threads_)),
        workers_(std::clamp(guess_threads, 1, kMaxWorkers),
                 [this] { SetOperatorThreads(operator_threads_); }) {
    torch::jit::setPrintHandler(PrintToStandardError);
  }

  absl::StatusOr<std::shared_ptr<GuessModel>> Load(const ModelSource& source) {
    std::shared_ptr<GuessModel> model;
    absl::Status status;
    workers_.Run(1, [&](int, int) { status = LoadOnWorker(source, &model); });
    if (!status.ok()) return WithModelName(source.info.name, status);
    return model;
  }

  absl::StatusOr<std::string> InitialWeights(const ModelSource& source) {
    std::string weights;
    absl::Status status;
    workers_.Run(1, [&](int, int) {
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
  absl::Status LoadOnWorker(const ModelSource& source, std::shared_ptr<GuessModel>* model) {
    MIXFEED_RETURN_IF_ERROR(CheckInfo(source.info));
    GuessModelInfo info = source.info;
    info.environment = environment_;
    std::shared_ptr<Network> original;
    Networks networks;
    const absl::Status sound = CatchTorchErrors(absl::StatusCode::kInvalidArgument, [&] {
      MIXFEED_ASSIGN_OR_RETURN(original, FindLoader(source.info.kind)(source));
      MIXFEED_ASSIGN_OR_RETURN(const std::string weights, original->Weights());
      info.weights = DigestOf(weights);
      MIXFEED_ASSIGN_OR_RETURN(networks, NetworksFor(workers_.count(), original));
      return CheckNetwork(source.info, networks[0].get());
    });
    MIXFEED_RETURN_IF_ERROR(sound);
    Fitness fitness;
    fitness.batch = CatchTorchErrors(absl::StatusCode::kInvalidArgument, [&] {
      return CheckBatchStatistics(source.info, networks[0].get());
    });
    fitness.running = CatchTorchErrors(absl::StatusCode::kInvalidArgument, [&] {
      return CheckRunningStatistics(source.info, networks[0].get());
    });
    MIXFEED_RETURN_IF_ERROR(fitness.For(source.batch_statistics));
    *model = std::make_shared<TorchModel>(std::move(info), &workers_, std::move(original),
                                          std::move(networks), std::move(fitness));
    return absl::OkStatus();
  }

  const int operator_threads_;
  const std::string environment_;
  WorkerThreads workers_;
};

TorchRuntime::TorchRuntime(int guess_threads) : impl_(std::make_unique<Impl>(guess_threads)) {}
TorchRuntime::~TorchRuntime() = default;

absl::StatusOr<std::shared_ptr<GuessModel>> TorchRuntime::Load(const ModelSource& source) {
  return impl_->Load(source);
}

absl::StatusOr<std::string> TorchRuntime::InitialWeights(const ModelSource& source) {
  return impl_->InitialWeights(source);
}

std::string TorchRuntime::environment() const { return impl_->environment(); }

}  // namespace mixfeed
