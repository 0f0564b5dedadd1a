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
    "batch normalisation. Save torch.jit.script(model) without freezing it, or register it for "
    "running statistics (batch_statistics = false)";

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
  const at::Tensor logits = network->Forward(views, batch_statistics);
  MIXFEED_RETURN_IF_ERROR(CheckLogits(info, logits, views.size(0)));
  return logits.to(at::kFloat);
}

absl::StatusOr<at::Tensor> FirstRow(const GuessModelInfo& info, Network* network,
                                    const at::Tensor& views) {
  MIXFEED_ASSIGN_OR_RETURN(const at::Tensor logits, Forward(info, network, views, true));
  MIXFEED_RETURN_IF_ERROR(CheckFinite(at::softmax(logits, 1)));
  return logits[0].clone();
}

bool Differs(const at::Tensor& a, const at::Tensor& b) {
  const double largest = std::max(a.abs().max().item<double>(), b.abs().max().item<double>());
  return (a - b).abs().max().item<double>() > kLeastChange * largest;
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
  // A copy, since a network may write into its input.
  const at::Tensor input =
      at::from_blob(const_cast<float*>(views.data()),
                    {rows, info.input.channels, info.input.height, info.input.width}, at::kFloat)
          .clone();
  MIXFEED_ASSIGN_OR_RETURN(const at::Tensor logits,
                           Forward(info, network, input, batch_statistics));
  at::Tensor output = at::from_blob(probabilities.data(), {rows, info.classes}, at::kFloat);
  output.copy_(at::softmax(logits, 1));
  return CheckFinite(output);
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

absl::Status CheckBatchStatistics(const GuessModelInfo& info, Network* network) {
  const at::Tensor views = RandomViews(info, kTrialRows, /*seed=*/1);
  const at::Tensor others = RandomViews(info, kTrialRows, /*seed=*/2);
  at::Tensor same_first = others.clone();
  same_first[0].copy_(views[0]);
  at::Tensor other_first = views.clone();
  other_first[0].copy_(others[0]);
  MIXFEED_ASSIGN_OR_RETURN(const at::Tensor base, FirstRow(info, network, views));
  MIXFEED_ASSIGN_OR_RETURN(const at::Tensor with_others, FirstRow(info, network, same_first));
  MIXFEED_ASSIGN_OR_RETURN(const at::Tensor with_other_image, FirstRow(info, network, other_first));
  // A network that says the same of every image does so under any statistics: its last layer may
  // just be initialised to zeros.
  if (Differs(base, with_others) || !Differs(base, with_other_image)) return absl::OkStatus();
  return absl::FailedPreconditionError(kNoBatchStatistics);
}

}  // namespace mixfeed
