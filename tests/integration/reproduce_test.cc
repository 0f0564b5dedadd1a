// Received batches, computed again from the plan and the dataset alone: plain loops in double
// precision, and for MixMatch a guess model simple enough to be written out here.

#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "tests/integration/feed_fixture.h"
#include "tests/integration/net_kit.h"
#include "tests/testing/largest_difference.h"
#include "tests/testing/naive_renderer.h"

namespace mixfeed::testing {
namespace {

constexpr double kTolerance = 1e-5;
constexpr int kClasses = 10;
constexpr uint64_t kSteps = 5;

using Matrix = std::vector<std::vector<double>>;

Normalisation Signed() {
  Normalisation normalisation;
  normalisation.mean.fill(0.5);
  normalisation.std.fill(0.5);
  return normalisation;
}

class ReproduceTest : public FeedTest {
 protected:
  RenderView ViewOf(const v1::PlanRow& row) const {
    RenderView view;
    view.image = static_cast<int32_t>(row.sample());
    view.crop_y = static_cast<int16_t>(row.crop_y());
    view.crop_x = static_cast<int16_t>(row.crop_x());
    view.flip = row.flip() ? 1 : 0;
    return view;
  }

  NaiveSource Source(PadMode mode) const {
    return {dataset().shape, dataset().train.pixels, /*pad=*/4, mode};
  }

  // Pixels of the step's mixed rows, [rows][C][H][W] in [-1, 1].
  std::vector<double> MixedPixels(const v1::GetPlanResponse& plan, PadMode mode) const {
    std::vector<RenderRow> rows;
    for (const v1::PlanRow& row : plan.rows()) {
      rows.push_back(
          {ViewOf(row), ViewOf(plan.rows(static_cast<int>(row.partner()))), row.lambda()});
    }
    return RenderNaively(Source(mode), rows, Signed());
  }

  static Matrix Mix(const v1::GetPlanResponse& plan, const Matrix& targets) {
    Matrix mixed = targets;
    for (size_t r = 0; r < targets.size(); ++r) {
      const v1::PlanRow& row = plan.rows(static_cast<int>(r));
      for (size_t c = 0; c < kClasses; ++c) {
        mixed[r][c] = double{row.lambda()} * targets[r][c] +
                      (1.0 - double{row.lambda()}) * targets[row.partner()][c];
      }
    }
    return mixed;
  }

  std::vector<double> OneHot(const v1::PlanRow& row) const {
    EXPECT_TRUE(row.has_label());
    EXPECT_EQ(static_cast<int>(row.label()), dataset().train.labels[row.sample()]);
    std::vector<double> target(kClasses, 0.0);
    target[row.label()] = 1.0;
    return target;
  }

  static void ExpectBatch(const ReceivedBatch& batch, const std::vector<double>& pixels,
                          const Matrix& targets) {
    const std::span<const float> received(reinterpret_cast<const float*>(batch.pixels().data()),
                                          batch.pixels().size() / sizeof(float));
    EXPECT_LE(LargestDifference(received, pixels), kTolerance)
        << "pixels of step " << batch.header().step();
    ASSERT_EQ(batch.targets().size(), targets.size() * kClasses);
    for (size_t r = 0; r < targets.size(); ++r) {
      for (size_t c = 0; c < kClasses; ++c) {
        ASSERT_NEAR(batch.targets()[r * kClasses + c], targets[r][c], kTolerance)
            << "row " << r << " class " << c << " of step " << batch.header().step();
      }
    }
  }
};

TEST_F(ReproduceTest, MixupBatch) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, Spec("mixup", 32));
  for (uint64_t step = 0; step < kSteps; ++step) {
    const auto plan = feed->GetPlan(step);
    const auto batch = feed->GetBatch(step, {});
    ASSERT_TRUE(plan.ok() && batch.ok()) << plan.status() << batch.status();
    Matrix targets;
    for (const v1::PlanRow& row : plan->rows()) targets.push_back(OneHot(row));
    ExpectBatch(*batch, MixedPixels(*plan, PadMode::kZero), Mix(*plan, targets));
  }
}

// Mean over the pixels of each image's channels, [rows][channels].
Matrix ChannelMeans(const std::vector<double>& views, size_t rows, size_t channels) {
  const size_t plane = views.size() / (rows * channels);
  Matrix means(rows, std::vector<double>(channels));
  for (size_t i = 0; i < rows * channels; ++i) {
    const auto begin = views.begin() + static_cast<std::ptrdiff_t>(i * plane);
    means[i / channels][i % channels] =
        std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(plane), 0.0) /
        static_cast<double>(plane);
  }
  return means;
}

// Batch norm of each column with the statistics of these rows.
void Normalise(const LinearNetwork& network, Matrix* rows) {
  const auto count = static_cast<double>(rows->size());
  for (size_t channel = 0; channel < rows->front().size(); ++channel) {
    double mean = 0;
    double variance = 0;
    for (const auto& row : *rows) mean += row[channel] / count;
    for (const auto& row : *rows) variance += std::pow(row[channel] - mean, 2) / count;
    const double deviation = std::sqrt(variance + kLinearNetworkEpsilon);
    for (auto& row : *rows) {
      row[channel] = (row[channel] - mean) / deviation * network.norm_weight[channel] +
                     network.norm_bias[channel];
    }
  }
}

// Softmax of the network's logits for `rows` views.
Matrix Probabilities(const LinearNetwork& network, const std::vector<double>& views, size_t rows) {
  const auto channels = static_cast<size_t>(network.channels);
  Matrix features = ChannelMeans(views, rows, channels);
  Normalise(network, &features);
  Matrix probabilities(rows, std::vector<double>(kClasses));
  for (size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (size_t c = 0; c < kClasses; ++c) {
      double logit = network.bias[c];
      for (size_t channel = 0; channel < channels; ++channel) {
        logit += network.weight[c * channels + channel] * features[r][channel];
      }
      sum += probabilities[r][c] = std::exp(logit);
    }
    for (double& p : probabilities[r]) p /= sum;
  }
  return probabilities;
}

// p^(1/T) / sum p^(1/T) with T = 1/2.
void SharpenToHalf(std::vector<double>* p) {
  double sum = 0;
  for (double& value : *p) sum += value *= value;
  for (double& value : *p) value /= sum;
}

TEST_F(ReproduceTest, MixMatchBatchAndItsGuesses) {
  constexpr size_t kBatch = 16;
  constexpr size_t kViews = 3;
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  const LinearNetwork network = NetworkOf(0);
  ASSERT_NO_FATAL_FAILURE(MustRegister(*client, LinearArchive(network)));

  v1::FeedSpec spec = Spec("mixmatch", kBatch);
  spec.mutable_recipe()->set_views(kViews);
  spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::NEWEST);
  const auto feed = Open(*client, spec);
  for (uint64_t step = 0; step < kSteps; ++step) {
    const auto plan = feed->GetPlan(step);
    const auto batch = feed->GetBatch(step, {});
    ASSERT_TRUE(plan.ok() && batch.ok()) << plan.status() << batch.status();
    ASSERT_EQ(plan->rows_size(), static_cast<int>(kBatch * (kViews + 1)));

    Matrix guesses(kBatch, std::vector<double>(kClasses, 0.0));
    for (size_t k = 0; k < kViews; ++k) {
      std::vector<RenderRow> rows;
      for (size_t i = 0; i < kBatch; ++i) {
        const v1::PlanRow& row = plan->rows(static_cast<int>(kBatch * (k + 1) + i));
        EXPECT_EQ(row.pool(), v1::UNLABELLED);
        EXPECT_EQ(row.view(), k);
        EXPECT_FALSE(row.has_label());
        rows.push_back({ViewOf(row), ViewOf(row), 1.0f});
      }
      const Matrix p =
          Probabilities(network, RenderNaively(Source(PadMode::kReflect), rows, Signed()), kBatch);
      for (size_t i = 0; i < kBatch; ++i) {
        for (size_t c = 0; c < kClasses; ++c) guesses[i][c] += p[i][c] / kViews;
      }
    }
    for (auto& guess : guesses) SharpenToHalf(&guess);

    Matrix targets;
    for (size_t r = 0; r < kBatch; ++r) targets.push_back(OneHot(plan->rows(static_cast<int>(r))));
    for (size_t k = 0; k < kViews; ++k) {
      targets.insert(targets.end(), guesses.begin(), guesses.end());
    }
    ExpectBatch(*batch, MixedPixels(*plan, PadMode::kReflect), Mix(*plan, targets));
  }
}

}  // namespace
}  // namespace mixfeed::testing
