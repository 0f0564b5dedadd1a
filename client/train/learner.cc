#include "client/train/learner.h"

// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/guess/residual_network.h"
#include "augment/guess/torch_environment.h"
#include "augment/guess/torch_errors.h"
#include "augment/guess/torch_weights.h"
#include "client/train/batch_rows.h"
#include "client/train/optimiser.h"

namespace mixfeed {
namespace {

constexpr char kWeights[] = "weights/";
constexpr char kAverage[] = "average/";
constexpr char kOptimiser[] = "optimiser/";

at::Tensor FloatTensor(const void* data, at::IntArrayRef shape) {
  return at::from_blob(const_cast<void*>(data), shape, at::kFloat);  // which nobody writes to
}

// The tensors of `state` under `prefix`, without it.
StateDict Part(const StateDict& state, const std::string& prefix) {
  std::vector<WeightTensor> tensors;
  for (WeightTensor tensor : state.tensors()) {
    if (!tensor.name.starts_with(prefix)) continue;
    tensor.name = tensor.name.substr(prefix.size());
    tensors.push_back(std::move(tensor));
  }
  return *StateDict::Parse(*WriteSafetensors(tensors));
}

class ResidualLearner final : public Learner {
 public:
  ResidualLearner(const LearnerOptions& options, std::unique_ptr<ResidualNetwork> network)
      : options_(options) {
    Adopt(std::move(network));
  }

  absl::StatusOr<BatchLosses> Add(const ReceivedBatch& batch) override {
    MIXFEED_RETURN_IF_ERROR(CheckBatch(batch.header()));
    BatchLosses losses;
    MIXFEED_RETURN_IF_ERROR(Guarded([&] { return AddLoss(batch, &losses); }));
    return losses;
  }

  absl::Status AddGuessPasses(std::span<const float> images, uint32_t views) override {
    const int64_t pixels = options_.image.pixels();
    const auto rows = static_cast<int64_t>(images.size()) / pixels / std::max(views, 1u);
    if (views == 0 || rows * pixels * views != static_cast<int64_t>(images.size())) {
      return absl::InvalidArgumentError(
          absl::StrCat("guess passes: ", images.size(), " floats of ", views, " views"));
    }
    return Guarded([&] {
      const at::NoGradGuard no_grad;
      BeginBatch();
      const at::Tensor all = Images(images.data(), rows * views);
      for (int64_t view = 0; view < views; ++view) {
        network_->Forward(all.narrow(0, view * rows, rows), Updating());
      }
      return absl::OkStatus();
    });
  }

  absl::Status Update(double rate, ProcessGroup* group, std::span<float> sums) override {
    if (options_.world > 1) MIXFEED_RETURN_IF_ERROR(Guarded([&] { return Reduce(group, sums); }));
    if (!std::ranges::all_of(sums, [](float sum) { return std::isfinite(sum); })) {
      return absl::FailedPreconditionError("sums of the update: not finite");
    }
    return Guarded([&] {
      const at::NoGradGuard no_grad;
      for (size_t i = 0; i < statistics_.size(); ++i) Tensor(statistics_[i]).copy_(moved_[i]);
      optimiser_->Step(rate);
      TakeAverage();
      if (options_.variant.decay_form == DecayForm::kDecoupled && options_.weight_decay > 0) {
        DecayWeights(&network_->tensors(), options_.variant.decay_scope,
                     rate * options_.weight_decay);
      }
      ++updates_;
      Clear();
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::string> Gradients() const override {
    NamedTensorList tensors;
    for (const size_t i : parameters_) {
      const auto& [name, tensor] = network_->tensors()[i];
      if (tensor.grad().defined()) tensors.emplace_back(name, tensor.grad());
    }
    for (size_t i = 0; i < statistics_.size(); ++i) {
      tensors.emplace_back(network_->tensors()[statistics_[i]].first, moved_[i]);
    }
    return Written(tensors);
  }

  void Drop() override {
    const at::NoGradGuard no_grad;
    Rewind();
    Clear();
  }

  absl::StatusOr<EvalCounts> Evaluate(const ReceivedBatch& batch) override {
    MIXFEED_RETURN_IF_ERROR(CheckFormat(batch.header()));
    if (batch.header().targets() == v1::PAIRS) {
      return absl::InvalidArgumentError("targets: pairs given, allowed in an evaluation: soft");
    }
    EvalCounts counts;
    MIXFEED_RETURN_IF_ERROR(Guarded([&] {
      const at::NoGradGuard no_grad;
      const int64_t rows = batch.header().rows();
      const at::Tensor targets = FloatTensor(batch.targets().data(), {rows, options_.classes});
      const at::Tensor logits =
          average_->Forward(Images(batch.pixels().data(), rows), {.batch_statistics = false});
      counts.images = static_cast<uint64_t>(rows);
      counts.correct = static_cast<uint64_t>(
          logits.argmax(1).eq(targets.argmax(1)).sum().template item<int64_t>());
      counts.loss =
          SoftCrossEntropy(logits, targets).template item<double>() * static_cast<double>(rows);
      return absl::OkStatus();
    }));
    return counts;
  }

  uint64_t updates() const override { return updates_; }

  absl::StatusOr<std::string> Weights() const override {
    std::string weights;
    MIXFEED_RETURN_IF_ERROR(Guarded([&] {
      MIXFEED_ASSIGN_OR_RETURN(weights, network_->Weights());
      return absl::OkStatus();
    }));
    return weights;
  }

  absl::StatusOr<std::string> State() const override {
    NamedTensorList tensors;
    for (const auto& [name, tensor] : network_->tensors())
      tensors.emplace_back(kWeights + name, tensor);
    for (const size_t i : averaged_) {
      const auto& [name, tensor] = average_->tensors()[i];
      tensors.emplace_back(kAverage + name, tensor);
    }
    for (auto& [name, tensor] : optimiser_->State())
      tensors.emplace_back(kOptimiser + name, tensor);
    return Written(tensors);
  }

  absl::Status Restore(const StateDict& state, uint64_t updates) override {
    return Guarded([&] {
      const at::NoGradGuard no_grad;
      const StateDict weights = Part(state, kWeights), average = Part(state, kAverage);
      MIXFEED_ASSIGN_OR_RETURN(auto network, network_->CloneWith(weights, /*whole=*/true));
      Adopt(std::move(network));
      for (const size_t i : averaged_) {
        auto& [name, tensor] = average_->tensors()[i];
        const WeightTensor* const given = average.Find(name);
        if (given == nullptr) return MissingWeight(kAverage + name);
        MIXFEED_ASSIGN_OR_RETURN(tensor, ConvertWeight(*given, tensor));
      }
      updates_ = updates;
      return optimiser_->Restore(state, kOptimiser, static_cast<int64_t>(updates));
    });
  }

 private:
  template <typename Work>
  static absl::Status Guarded(const Work& work) {
    return CatchTorchErrors(absl::StatusCode::kInternal, [&]() -> absl::Status { return work(); });
  }

  static absl::StatusOr<std::string> Written(const NamedTensorList& tensors) {
    std::string bytes;
    MIXFEED_RETURN_IF_ERROR(Guarded([&] {
      MIXFEED_ASSIGN_OR_RETURN(bytes, WriteWeights(tensors));
      return absl::OkStatus();
    }));
    return bytes;
  }

  at::Tensor& Tensor(size_t i) { return network_->tensors()[i].second; }

  // Begins with this network, its average equal to it, and an optimiser that remembers nothing.
  void Adopt(std::unique_ptr<ResidualNetwork> network) {
    network_ = std::move(network);
    parameters_.clear();
    statistics_.clear();
    averaged_.clear();
    NamedTensorList parameters;
    for (size_t i = 0; i < network_->tensors().size(); ++i) {
      auto& [name, tensor] = network_->tensors()[i];
      const bool statistic = ResidualNetwork::IsStatistic(name);
      if (!statistic) {
        tensor.requires_grad_(true);
        parameters.emplace_back(name, tensor);
      }
      (statistic ? statistics_ : parameters_).push_back(i);
      const bool averaged = !statistic || options_.variant.average_statistics;
      if (averaged && options_.ema > 0) averaged_.push_back(i);
    }
    // What is not averaged the two networks share.
    average_ = *network_->CloneWith(*StateDict::Parse(*WriteSafetensors({})), /*whole=*/false);
    for (const size_t i : averaged_) average_->tensors()[i].second = Tensor(i).detach().clone();
    const bool in_gradient = options_.variant.decay_form == DecayForm::kGradient;
    optimiser_ = std::make_unique<Optimiser>(
        OptimiserOptions{.sgd = options_.sgd,
                         .gradient_decay = in_gradient ? options_.weight_decay : 0,
                         .decay_scope = options_.variant.decay_scope},
        std::move(parameters));
    Clear();
  }

  absl::Status CheckFormat(const v1::BatchHeader& header) const {
    return CheckImages(header, options_.image, options_.classes);
  }

  absl::Status CheckBatch(const v1::BatchHeader& header) const {
    MIXFEED_RETURN_IF_ERROR(CheckFormat(header));
    return CheckRows(header, options_.labelled_rows);
  }

  at::Tensor Images(const void* pixels, int64_t rows) const {
    const ImageShape& image = options_.image;
    return FloatTensor(pixels, {rows, image.channels, image.height, image.width});
  }

  NormPass Updating() const {
    return {.batch_statistics = true, .momentum = options_.norm_momentum};
  }

  // Every batch of an update begins with the update's first running statistics, so that the order
  // of batches does not matter, nor which process has which: EndBatch goes back to them.
  void BeginBatch() {
    if (!before_.empty()) return;
    for (const size_t i : statistics_) before_.push_back(Tensor(i).clone());
  }

  void EndBatch() {
    const double share = 1.0 / (double{1} * options_.accumulate * options_.world);
    if (moved_.empty()) {
      for (const at::Tensor& statistic : before_) moved_.push_back(at::zeros_like(statistic));
    }
    for (size_t i = 0; i < statistics_.size(); ++i) moved_[i].add_(Tensor(statistics_[i]), share);
    Rewind();
  }

  void Rewind() {
    for (size_t i = 0; i < before_.size(); ++i) Tensor(statistics_[i]).copy_(before_[i]);
  }

  void Clear() {
    before_.clear();
    moved_.clear();
    for (const size_t i : parameters_) Tensor(i).mutable_grad() = at::Tensor();
  }

  absl::Status AddLoss(const ReceivedBatch& batch, BatchLosses* losses) {
    const v1::BatchHeader& header = batch.header();
    {
      const at::NoGradGuard no_grad;
      BeginBatch();
    }
    const int64_t rows = header.rows();
    const at::Tensor positions = PositionsOf(header);
    const at::Tensor logits = Logits(batch, positions).index_select(0, positions);
    const int64_t columns = static_cast<int64_t>(batch.targets().size()) / rows;
    const at::Tensor targets =
        FloatTensor(batch.targets().data(), {rows, columns}).index_select(0, positions);
    const at::Tensor loss = Loss(header, logits, targets, losses);
    // The mean over an update's batches.
    (loss / static_cast<double>(options_.accumulate * options_.world)).backward();
    const at::NoGradGuard no_grad;
    EndBatch();
    return absl::OkStatus();
  }

  at::Tensor Logits(const ReceivedBatch& batch, const at::Tensor& positions) const {
    const v1::BatchHeader& header = batch.header();
    const int64_t rows = header.rows();
    const at::Tensor images = Images(batch.pixels().data(), rows);
    const bool grouped =
        options_.labelled_rows > 0 && options_.variant.passes == RowPasses::kGroups;
    if (!grouped) return network_->Forward(images, Updating(), MixHidden(header, positions));
    const int64_t group = options_.labelled_rows;
    std::vector<at::Tensor> logits;
    for (int64_t begin = 0; begin < rows; begin += group) {
      const bool updates = begin == 0 || options_.variant.every_pass_updates;
      logits.push_back(
          network_->Forward(images.narrow(0, begin, group), updates ? Updating() : NormPass()));
    }
    return at::cat(logits);
  }

  at::Tensor Loss(const v1::BatchHeader& header, const at::Tensor& logits,
                  const at::Tensor& targets, BatchLosses* losses) const {
    if (options_.labelled_rows == 0) {
      const at::Tensor loss = header.targets() == v1::PAIRS
                                  ? PairCrossEntropy(logits, targets)
                                  : SoftLoss(options_.labelled_loss, logits, targets);
      losses->labelled = loss.item<double>();
      return loss;
    }
    const int64_t labelled = options_.labelled_rows, others = logits.size(0) - labelled;
    const at::Tensor of_labelled = SoftLoss(options_.labelled_loss, logits.narrow(0, 0, labelled),
                                            targets.narrow(0, 0, labelled));
    const at::Tensor of_others =
        SoftLoss(options_.unlabelled_loss, logits.narrow(0, labelled, others),
                 targets.narrow(0, labelled, others));
    *losses = {of_labelled.item<double>(), of_others.item<double>(), header.unlabelled_weight()};
    return of_labelled + header.unlabelled_weight() * of_others;
  }

  // Gradients, statistics and `sums` of all processes in one exchange.
  absl::Status Reduce(ProcessGroup* group, std::span<float> sums) {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> parts;
    for (const size_t i : parameters_) parts.push_back(Tensor(i).grad());
    parts.insert(parts.end(), moved_.begin(), moved_.end());
    std::vector<at::Tensor> flat;
    for (const at::Tensor& part : parts) flat.push_back(part.reshape({-1}));
    flat.push_back(FloatTensor(sums.data(), {static_cast<int64_t>(sums.size())}));
    const at::Tensor all = at::cat(flat);
    MIXFEED_RETURN_IF_ERROR(group->Sum({all.data_ptr<float>(), static_cast<size_t>(all.numel())}));
    int64_t begin = 0;
    for (at::Tensor& part : parts) {
      part.copy_(all.narrow(0, begin, part.numel()).view(part.sizes()));
      begin += part.numel();
    }
    const float* const rest = all.data_ptr<float>() + begin;
    std::copy(rest, rest + sums.size(), sums.begin());
    return absl::OkStatus();
  }

  // average = ema * average + (1 - ema) * value (google-research/mixmatch: tf.train's
  // ExponentialMovingAverage, which moves by (1 - decay) of the difference).
  void TakeAverage() {
    for (const size_t i : averaged_) {
      at::Tensor& average = average_->tensors()[i].second;
      average.mul_(options_.ema).add_(Tensor(i), 1 - options_.ema);
    }
  }

  const LearnerOptions options_;
  std::unique_ptr<ResidualNetwork> network_;
  std::unique_ptr<ResidualNetwork> average_;                // what is evaluated
  std::vector<size_t> parameters_, statistics_, averaged_;  // indices of network_'s tensors
  std::unique_ptr<Optimiser> optimiser_;
  uint64_t updates_ = 0;

  // Of the update under way.
  std::vector<at::Tensor> before_;  // running statistics; empty before the first batch
  std::vector<at::Tensor> moved_;   // what they are to be; sums of the batches' shares
};

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> Learner::Create(const LearnerOptions& options) {
  std::unique_ptr<Learner> learner;
  const absl::Status status = CatchTorchErrors(absl::StatusCode::kInternal, [&] {
    MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<ResidualNetwork> network,
                             ResidualNetwork::Create(options.network, options.image,
                                                     options.classes, options.init_seed));
    learner = std::make_unique<ResidualLearner>(options, std::move(network));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return learner;
}

int SetTrainerThreads(int threads) {
  const int wanted =
      threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  SetOperatorThreads(wanted);
  return wanted;
}

}  // namespace mixfeed
