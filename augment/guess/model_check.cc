// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/model_check.h"

namespace mixfeed {
namespace {

constexpr int kTrialRows = 6;
constexpr int kSmallTrialRows = 4;

// A change of a logit counts from this part of the largest one. Batch statistics of other images
// change it by a tenth or more, a different order of sums by a millionth.
constexpr double kLeastChange = 1e-4;

constexpr char kNoBatchStatistics[] =
    "it cannot use batch statistics: its output for an image stays the same whatever the other "
    "images of the batch are. It was frozen (torch.jit.freeze), traced in eval mode, or has no "
    "batch normalisation (of a class named BatchNorm... or SyncBatchNorm). Save "
    "torch.jit.script(model) without freezing it, or guess with running statistics "
    "(batch_statistics = false, `--statistics running`), both when it is registered and in the "
    "feed's spec";

constexpr char kNoRunningStatistics[] =
    "it cannot use running statistics: its output for an image changes with the other images of "
    "the batch. It was traced in train mode, or its batch normalisation keeps no running "
    "statistics. Save torch.jit.script(model), or call model.eval() before tracing it";

constexpr char kRandom[] =
    "it gives another output for the same images when it is run again: dropout or another random "
    "step is built in, as torch.jit.trace does with a model in train mode. Save "
    "torch.jit.script(model), or call model.eval() before tracing it";

// Random images, each with a brightness range of its own so that batches differ in their
// statistics, normalised as the model asks.
at::Tensor RandomViews(const GuessModelInfo& info, int rows, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> views;
  for (int row = 0; row < rows; ++row) {
    std::uniform_int_distribution<int> brightest(1, 255);
    std::uniform_int_distribution<int> pixel(0, brightest(random));
    for (int64_t i = 0; i < info.input.pixels(); ++i) {
      const auto channel = static_cast<size_t>(i / (int64_t{info.input.height} * info.input.width));
      views.push_back(
          static_cast<float>((pixel(random) / 255.0 - info.normalisation.mean[channel]) /
                             info.normalisation.std[channel]));
    }
  }
  return at::tensor(views).view({rows, info.input.channels, info.input.height, info.input.width});
}

absl::Status CheckLogits(const GuessModelInfo& info, const at::Tensor& logits, int64_t rows) {
  if (!logits.defined() || !at::isFloatingType(logits.scalar_type()) || logits.dim() != 2 ||
      logits.size(0) != rows || logits.size(1) != info.classes) {
    const std::string shape = logits.defined() ? absl::StrJoin(logits.sizes(), ", ") : "nothing";
    return absl::DataLossError(absl::StrCat("for ", rows, " images its output is [", shape,
                                            "]; wanted are floating point logits [", rows, ", ",
                                            info.classes, "]"));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const at::Tensor& probabilities) {
  if (probabilities.isfinite().all().item<bool>()) return absl::OkStatus();
  return absl::DataLossError("its output has values that are not finite");
}

absl::StatusOr<at::Tensor> Forward(const GuessModelInfo& info, Network* network,
                                   const at::Tensor& views, bool batch_statistics) {
  const c10::NoGradGuard no_grad;
  // A copy, since a network may write into its input.
  const at::Tensor logits = network->Forward(views.clone(), batch_statistics);
  MIXFEED_RETURN_IF_ERROR(CheckLogits(info, logits, views.size(0)));
  return logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
}

// The memory of `views` as a tensor, which is not written to.
at::Tensor TensorOf(const GuessModelInfo& info, std::span<const float> views, int rows) {
  return at::from_blob(const_cast<float*>(views.data()),
                       {rows, info.input.channels, info.input.height, info.input.width},
                       at::kFloat);
}

bool Differs(const at::Tensor& a, const at::Tensor& b) {
  const double largest = std::max(a.abs().max().item<double>(), b.abs().max().item<double>());
  return (a - b).abs().max().item<double>() > kLeastChange * largest;
}

// What the output for the first image of a batch depends on.
struct Dependence {
  bool on_image = false;
  bool on_others = false;  // the other images of the batch
};

// InvalidArgument for a network that is random.
absl::StatusOr<Dependence> TryFirstRow(const GuessModelInfo& info, Network* network,
                                       bool batch_statistics) {
  const at::Tensor views = RandomViews(info, kTrialRows, /*seed=*/1);
  const at::Tensor others = RandomViews(info, kTrialRows, /*seed=*/2);
  at::Tensor same_first = others.clone();
  same_first[0].copy_(views[0]);
  at::Tensor other_first = views.clone();
  other_first[0].copy_(others[0]);
  std::vector<at::Tensor> outputs;
  for (const at::Tensor& batch : {views, views, same_first, other_first}) {
    MIXFEED_ASSIGN_OR_RETURN(const at::Tensor logits,
                             Forward(info, network, batch, batch_statistics));
    MIXFEED_RETURN_IF_ERROR(CheckFinite(at::softmax(logits, 1)));
    outputs.push_back(logits);
  }
  if (Differs(outputs[0], outputs[1])) return absl::InvalidArgumentError(kRandom);
  return Dependence{.on_image = Differs(outputs[0][0], outputs[3][0]),
                    .on_others = Differs(outputs[0][0], outputs[2][0])};
}

}  // namespace

absl::Status CheckInfo(const GuessModelInfo& info) {
  const ImageShape& input = info.input;
  if (std::min({input.channels, input.height, input.width, info.classes}) < 1 ||
      input.channels > kMaxChannels) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input is ", input.channels, "x", input.height, "x", input.width, " with ", info.classes,
        " classes; allowed: from 1, and at most ", kMaxChannels, " channels"));
  }
  return ValidatePixelFormat({.normalisation = info.normalisation}, input.channels);
}

absl::Status ForwardProbabilities(const GuessModelInfo& info, Network* network,
                                  std::span<const float> views, int rows, bool batch_statistics,
                                  std::span<float> probabilities) {
  MIXFEED_ASSIGN_OR_RETURN(const at::Tensor logits,
                           Forward(info, network, TensorOf(info, views, rows), batch_statistics));
  at::Tensor output = at::from_blob(probabilities.data(), {rows, info.classes}, at::kFloat);
  output.copy_(at::softmax(logits, 1));
  return CheckFinite(output);
}

absl::StatusOr<std::vector<float>> ForwardFeatures(const GuessModelInfo& info, Network* network,
                                                   std::span<const float> views, int rows) {
  const c10::NoGradGuard no_grad;
  const at::Tensor features = network->Features(TensorOf(info, views, rows).clone());
  if (features.dim() != 2 || features.size(0) != rows ||
      !at::isFloatingType(features.scalar_type())) {
    return absl::DataLossError(
        absl::StrCat("its features are no floating point tensor [", rows, ", n]"));
  }
  MIXFEED_RETURN_IF_ERROR(CheckFinite(features));
  std::vector<float> values(static_cast<size_t>(features.numel()));
  at::from_blob(values.data(), features.sizes(), at::kFloat).copy_(features);
  return values;
}

absl::Status CheckNetwork(const GuessModelInfo& info, Network* network) {
  for (const int rows : {kTrialRows, kSmallTrialRows}) {
    absl::StatusOr<at::Tensor> logits =
        Forward(info, network, RandomViews(info, rows, /*seed=*/1), /*batch_statistics=*/false);
    const absl::Status status =
        logits.ok() ? CheckFinite(at::softmax(*logits, 1)) : logits.status();
    if (!status.ok()) return absl::InvalidArgumentError(status.message());
  }
  return absl::OkStatus();
}

absl::Status CheckRunningStatistics(const GuessModelInfo& info, Network* network) {
  MIXFEED_ASSIGN_OR_RETURN(const Dependence output,
                           TryFirstRow(info, network, /*batch_statistics=*/false));
  return output.on_others ? absl::FailedPreconditionError(kNoRunningStatistics) : absl::OkStatus();
}

absl::Status CheckBatchStatistics(const GuessModelInfo& info, Network* network) {
  MIXFEED_ASSIGN_OR_RETURN(const Dependence output,
                           TryFirstRow(info, network, /*batch_statistics=*/true));
  // A network that says the same of every image does so under any statistics: its last layer may
  // just be initialised to zeros.
  if (output.on_others || !output.on_image) return absl::OkStatus();
  return absl::FailedPreconditionError(kNoBatchStatistics);
}

}  // namespace mixfeed
