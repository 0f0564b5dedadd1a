#include "tests/augment/guess/torch_kit.h"

#include <random>
#include <utility>

namespace mixfeed::testing {

ModelSource MakeSource(std::string archive, bool batch_statistics) {
  ModelSource source;
  source.info.name = "teacher";
  source.info.kind = kTorchScriptKind;
  source.info.input = kShape;
  source.info.classes = kClasses;
  source.archive = std::move(archive);
  source.batch_statistics = batch_statistics;
  return source;
}

std::vector<float> RandomViews(int rows, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> pixel(0.2f, 0.7f);
  std::vector<float> views(static_cast<size_t>(rows * kShape.pixels()));
  for (float& value : views) value = pixel(random);
  return views;
}

// LinearNetwork's definition, in double precision: softmax(norm(mean over pixels) W^T + b).
std::vector<float> ByHand(const LinearNetwork& network, const std::vector<float>& views, int rows,
                          bool batch_statistics) {
  const auto C = static_cast<size_t>(network.channels), N = static_cast<size_t>(rows);
  const auto K = static_cast<size_t>(network.classes), P = views.size() / (N * C);
  std::vector<double> means(N * C);
  for (size_t i = 0; i < views.size(); ++i) means[i / P] += double{views[i]} / double(P);
  std::vector<double> normed(N * C);
  for (size_t c = 0; c < C; ++c) {
    double mean = network.running_mean[c], variance = network.running_var[c];
    if (batch_statistics) {
      mean = variance = 0;
      for (size_t n = 0; n < N; ++n) mean += means[n * C + c] / double(N);
      for (size_t n = 0; n < N; ++n) variance += std::pow(means[n * C + c] - mean, 2) / double(N);
    }
    for (size_t n = 0; n < N; ++n) {
      normed[n * C + c] = (means[n * C + c] - mean) / std::sqrt(variance + kLinearNetworkEpsilon) *
                              network.norm_weight[c] +
                          network.norm_bias[c];
    }
  }
  std::vector<float> probabilities;
  for (size_t n = 0; n < N; ++n) {
    std::vector<double> exps(K);
    double sum = 0;
    for (size_t k = 0; k < K; ++k) {
      double logit = network.bias[k];
      for (size_t c = 0; c < C; ++c) logit += normed[n * C + c] * network.weight[k * C + c];
      sum += exps[k] = std::exp(logit);
    }
    for (const double value : exps) probabilities.push_back(static_cast<float>(value / sum));
  }
  return probabilities;
}

std::vector<float> MustGuess(GuessModel* model, const std::vector<float>& views, int rows,
                             bool batch_statistics) {
  std::vector<float> out(static_cast<size_t>(rows * kClasses));
  const absl::Status status = model->Guess(views, rows, batch_statistics, out);
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

std::shared_ptr<GuessModel> TorchRuntimeTest::MustLoad(const ModelSource& source) {
  absl::StatusOr<std::shared_ptr<GuessModel>> model = runtime_.Load(source);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

}  // namespace mixfeed::testing
