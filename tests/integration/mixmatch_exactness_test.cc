// A trainer on a feed's batches, beside official MixMatch (google-research/mixmatch, mixmatch.py
// and libml/; Berthelot et al. 2019, algorithm 1) in plain loops in this process. The latter sees
// of the feed only its plans, which hold what is random: it reads the dataset itself, makes its own
// views, guesses with its own weights, mixes and interleaves by itself. Both train the same network
// (learner.h): of its K + 1 training passes only the first moves the running statistics, the K
// passes of the guess move none, so that the weights that are pushed hold the running statistics of
// one pass a step.
//
// A float32 value on the wire is one of several operations, each rounded once, whose order
// augment/render/pixel.h and augment/target/target.h give; the loops here round at the same places,
// since the two networks could not be compared to 1e-9 if they were given images that differ by
// 1e-7. That all this stays within 2e-7 of the exact values is checked too.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "augment/base/thread_pool.h"
#include "augment/guess/journal.h"
#include "augment/pool/generated_dataset.h"
#include "tests/integration/feed_fixture.h"
#include "tests/integration/learner.h"
#include "tests/integration/net_kit.h"
#include "tests/testing/largest_difference.h"

namespace mixfeed::testing {
namespace {

constexpr size_t kBatch = 16;
constexpr size_t kViews = 2;
constexpr size_t kClasses = 10;
constexpr uint64_t kSteps = 50;
constexpr size_t kColours = 3;
constexpr int kSide = 32;
constexpr size_t kPlane = size_t{kSide} * kSide;
constexpr size_t kPixels = kColours * kPlane;
constexpr int kPad = 4;
constexpr double kTemperature = 0.5;
constexpr double kUnlabelledWeight = 75;
// Reached at half the run, so that the loss on guesses counts.
constexpr double kRampSteps = 25;

using Guesses = std::vector<float>;  // [kBatch][kClasses]

float Rounded(double value) { return static_cast<float>(value); }

Dataset SmallDataset() {
  ThreadPool threads(2);
  return *GenerateDataset({.seed = 3, .train_images = 500, .test_images = 50}, &threads);
}

// Edge pixels are not repeated: -1 is 1.
int Reflect(int x) {
  if (x < 0) return -x;
  return x < kSide ? x : 2 * kSide - 2 - x;
}

// Levels of a view: mirrored, padded by reflection, cropped (libml/data.py, augment_mirror and
// augment_shift).
std::vector<uint8_t> ViewLevels(const Dataset& dataset, const v1::PlanRow& row) {
  std::vector<uint8_t> levels(kPixels);
  const uint8_t* const image = dataset.train.pixels.data() + row.sample() * kPixels;
  for (size_t c = 0; c < kColours; ++c) {
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const int from_y = Reflect(y + static_cast<int>(row.crop_y()) - kPad);
        int from_x = Reflect(x + static_cast<int>(row.crop_x()) - kPad);
        if (row.flip()) from_x = kSide - 1 - from_x;
        levels[c * kPlane + static_cast<size_t>(y * kSide + x)] =
            image[c * kPlane + static_cast<size_t>(from_y * kSide + from_x)];
      }
    }
  }
  return levels;
}

// What the network sees in the guess: float32(level) * (2 / 255) - 1 (libml/data.py).
void AppendSigned(const std::vector<uint8_t>& levels, std::vector<float>* images) {
  const float scale = Rounded(2.0 / 255);
  for (const uint8_t level : levels) {
    images->push_back(Rounded(double{Rounded(double{scale} * level)} - 1));
  }
}

// A mixed row as the wire holds it, [-1, 1]: (a * a_weight) + ((b * b_weight) - 1).
void AppendMixed(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b, double lambda,
                 std::vector<float>* images) {
  const float a_weight = Rounded(lambda * 2 / 255);
  const float b_weight = Rounded((1 - lambda) * 2 / 255);
  std::vector<double> official;  // the exact values of the official code's formula
  for (size_t i = 0; i < a.size(); ++i) {
    const float rest = Rounded(double{Rounded(double{b_weight} * b[i])} - 1);
    images->push_back(Rounded(double{Rounded(double{a_weight} * a[i])} + rest));
    official.push_back(lambda * (a[i] * 2 / 255.0 - 1) + (1 - lambda) * (b[i] * 2 / 255.0 - 1));
  }
  EXPECT_LE(LargestDifference(std::span(*images).last(a.size()), official), 2e-7);
}

// (lambda * a) + ((1 - lambda) * b). A row that meets itself comes with a lambda of 1: of lambda *
// a
// + (1 - lambda) * a nothing is rounded.
void AppendTarget(const std::vector<float>& a, const std::vector<float>& b, float lambda,
                  std::vector<float>* targets) {
  const float rest = Rounded(1 - double{lambda});
  for (size_t c = 0; c < kClasses; ++c) {
    targets->push_back(
        Rounded(double{Rounded(double{lambda} * a[c])} + Rounded(double{rest} * b[c])));
  }
}

// Mean of the probabilities, to the power of 1 / T, normalised; each rounded to float32.
Guesses MeanAndSharpened(const std::vector<std::vector<double>>& probabilities) {
  Guesses guesses(kBatch * kClasses);
  for (size_t i = 0; i < guesses.size(); ++i) {
    double sum = 0;
    for (const auto& view : probabilities) sum += Rounded(view[i]);
    guesses[i] = Rounded(sum / static_cast<double>(kViews));
  }
  for (size_t row = 0; row < kBatch; ++row) {
    float* const p = guesses.data() + row * kClasses;
    double sum = 0;
    for (size_t c = 0; c < kClasses; ++c) sum += std::pow(double{p[c]}, 1 / kTemperature);
    for (size_t c = 0; c < kClasses; ++c) {
      p[c] = Rounded(std::pow(double{p[c]}, 1 / kTemperature) / sum);
    }
  }
  return guesses;
}

// Swaps a part of the first group with the same part of every other (libml/layers.py,
// interleave_offsets and interleave). Returns the places of the rows in their new order.
std::vector<uint32_t> Interleaved() {
  constexpr size_t kGroups = kViews + 1;
  std::vector<std::vector<uint32_t>> groups(kGroups);
  for (size_t i = 0; i < kGroups * kBatch; ++i) {
    groups[i / kBatch].push_back(static_cast<uint32_t>(i));
  }
  std::vector<size_t> sizes(kGroups, kBatch / kGroups);
  for (size_t i = 0; i < kBatch % kGroups; ++i) ++sizes[kGroups - 1 - i];
  size_t begin = sizes[0];
  for (size_t group = 1; group < kGroups; ++group) {
    for (size_t i = begin; i < begin + sizes[group]; ++i) std::swap(groups[0][i], groups[group][i]);
    begin += sizes[group];
  }
  std::vector<uint32_t> places;
  for (const auto& group : groups) places.insert(places.end(), group.begin(), group.end());
  return places;
}

struct ReferenceStep {
  Guesses guesses;
  LearnerBatch batch;
};

// A step of MixMatch from a plan's draws with the learner's weights.
class Reference {
 public:
  explicit Reference(const Dataset& dataset) : dataset_(dataset) {}

  ReferenceStep Make(const v1::GetPlanResponse& plan, const Learner& learner) const {
    std::vector<std::vector<uint8_t>> levels;  // of X, U1, ..., UK
    for (const v1::PlanRow& row : plan.rows()) levels.push_back(ViewLevels(dataset_, row));
    ReferenceStep step;
    step.guesses = Guess(levels, learner);
    const std::vector<std::vector<float>> labels = Labels(plan, step.guesses);
    for (const uint32_t place : Interleaved()) {
      const v1::PlanRow& row = plan.rows(static_cast<int>(place));
      const float lambda = std::max(row.lambda(), 1 - row.lambda());
      AppendMixed(levels[place], levels[row.partner()], lambda, &step.batch.pixels);
      AppendTarget(labels[place], labels[row.partner()], row.partner() == place ? 1 : lambda,
                   &step.batch.targets);
      step.batch.row.push_back(place);
    }
    step.batch.labelled = kBatch;
    step.batch.unlabelled_weight =
        kUnlabelledWeight * std::min(1.0, static_cast<double>(plan.step()) / kRampSteps);
    return step;
  }

 private:
  static Guesses Guess(const std::vector<std::vector<uint8_t>>& levels, const Learner& learner) {
    std::vector<std::vector<double>> probabilities;
    for (size_t k = 1; k <= kViews; ++k) {
      std::vector<float> views;
      for (size_t i = 0; i < kBatch; ++i) AppendSigned(levels[k * kBatch + i], &views);
      probabilities.push_back(learner.Probabilities(views, kBatch));
    }
    return MeanAndSharpened(probabilities);
  }

  // Of X the dataset's, of every U the guesses.
  std::vector<std::vector<float>> Labels(const v1::GetPlanResponse& plan,
                                         const Guesses& guesses) const {
    std::vector<std::vector<float>> labels;
    for (size_t i = 0; i < kBatch; ++i) {
      std::vector<float>& label = labels.emplace_back(kClasses, 0.0f);
      const uint32_t sample = plan.rows(static_cast<int>(i)).sample();
      label[static_cast<size_t>(dataset_.train.labels[sample])] = 1;
    }
    for (size_t i = 0; i < kViews * kBatch; ++i) {
      const float* const guess = guesses.data() + i % kBatch * kClasses;
      labels.emplace_back(guess, guess + kClasses);
    }
    return labels;
  }

  const Dataset& dataset_;
};

double Norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

LearnerBatch FromFeed(const ReceivedBatch& batch) {
  LearnerBatch made;
  made.pixels.resize(batch.pixels().size() / sizeof(float));
  std::memcpy(made.pixels.data(), batch.pixels().data(), batch.pixels().size());
  made.targets.assign(batch.targets().begin(), batch.targets().end());
  made.row.assign(batch.header().row().begin(), batch.header().row().end());
  made.labelled = kBatch;
  made.unlabelled_weight = batch.header().unlabelled_weight();
  return made;
}

v1::FeedSpec OfficialSpec() {
  v1::FeedSpec spec;
  v1::Recipe* const recipe = spec.mutable_recipe();
  recipe->set_preset("mixmatch");
  recipe->set_interleave(true);
  recipe->mutable_weight()->set_ramp(v1::UnlabelledWeight::STEPS);
  recipe->mutable_weight()->set_ramp_length(kRampSteps);
  spec.mutable_split()->set_labelled(100);
  spec.set_batch(kBatch);
  spec.set_seed(11);
  return spec;
}

class MixMatchExactnessTest : public FeedTest {
 protected:
  MixMatchExactnessTest() : FeedTest(SmallDataset()) {}

  void Start(const Learner& learner) {
    server_ = StartServer("a", {"--guess-threads", "1"});
    client_ = ConnectTo(*server_);
    ASSERT_NO_FATAL_FAILURE(MustRegister(*client_, learner.Archive()));
    feed_ = Open(*client_, OfficialSpec());
    auto stream = feed_->Stream({});
    ASSERT_TRUE(stream.ok()) << stream.status();
    stream_ = *std::move(stream);
  }

  // The next step's batch, which must be guessed with the weights of its update.
  LearnerBatch Next(uint64_t step) {
    const auto batch = stream_->Next();
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (!batch.ok()) return {};
    EXPECT_EQ(batch->header().step(), step);
    EXPECT_EQ(batch->header().guess().update(), step);
    return FromFeed(*batch);
  }

  v1::GetPlanResponse Plan(uint64_t step) {
    auto plan = feed_->GetPlan(step);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : v1::GetPlanResponse();
  }

  void Push(const Learner& learner, uint64_t update) {
    const auto pushed = client_->PushWeights(PushOf(update), learner.Weights());
    ASSERT_TRUE(pushed.ok()) << pushed.status();
  }

  // What the server's journal holds for each step, once the server has ended.
  std::vector<Guesses> Journalled() {
    const std::string feed_id = feed_->info().feed_id();
    stream_->Cancel();
    server_->End(SIGTERM);
    const auto journal = Journal::Open({.path = state_dir("a") + "/journal.sqlite"});
    EXPECT_TRUE(journal.ok()) << journal.status();
    std::vector<Guesses> guesses;
    for (uint64_t step = 0; step < kSteps; ++step) {
      const auto guess = (*journal)->Find(feed_id, static_cast<int64_t>(step));
      EXPECT_TRUE(guess.ok() && guess->has_value()) << "step " << step;
      guesses.push_back((*guess)->probabilities);
    }
    return guesses;
  }

 private:
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<FeedClient> client_;
  std::unique_ptr<Feed> feed_;
  std::unique_ptr<BatchStream> stream_;
};

TEST_F(MixMatchExactnessTest, FiftyStepsInFloat64EndWithTheSameGuessesAndWeights) {
  const Reference reference(dataset());
  Learner trainer(Precision::kFloat64, kClasses, /*seed=*/1);
  Learner alone(trainer);
  const std::vector<double> before = trainer.Values();
  ASSERT_NO_FATAL_FAILURE(Start(trainer));
  std::vector<Guesses> guesses;
  for (uint64_t step = 0; step < kSteps; ++step) {
    trainer.Step(Next(step));
    ASSERT_NO_FATAL_FAILURE(Push(trainer, step + 1));
    ReferenceStep own = reference.Make(Plan(step), alone);
    guesses.push_back(std::move(own.guesses));
    alone.Step(own.batch);
  }
  EXPECT_LE(LargestDifference(trainer.Values(), alone.Values()), 1e-8);
  // The run has trained, and the guesses with it.
  EXPECT_GT(LargestDifference(trainer.Values(), before), 1e-2);
  EXPECT_GT(LargestDifference(guesses.front(), guesses.back()), 1e-2);
  const std::vector<Guesses> journalled = Journalled();
  for (uint64_t step = 0; step < kSteps; ++step) {
    EXPECT_LE(LargestDifference(journalled[step], guesses[step]), 1e-9) << "step " << step;
  }
}

TEST_F(MixMatchExactnessTest, EachStepInFloat32HasTheSameGuessesAndGradient) {
  const Reference reference(dataset());
  Learner trainer(Precision::kFloat32, kClasses, /*seed=*/2);
  ASSERT_NO_FATAL_FAILURE(Start(trainer));
  std::vector<Guesses> guesses;
  for (uint64_t step = 0; step < kSteps; ++step) {
    const LearnerBatch batch = Next(step);
    ReferenceStep own = reference.Make(Plan(step), trainer);
    guesses.push_back(std::move(own.guesses));
    const std::vector<double> gradient = trainer.Gradient(batch);
    std::vector<double> difference = trainer.Gradient(own.batch);
    for (size_t i = 0; i < difference.size(); ++i) difference[i] -= gradient[i];
    EXPECT_LE(Norm(difference), 1e-4 * Norm(gradient)) << "step " << step;
    trainer.Step(batch);
    ASSERT_NO_FATAL_FAILURE(Push(trainer, step + 1));
  }
  const std::vector<Guesses> journalled = Journalled();
  for (uint64_t step = 0; step < kSteps; ++step) {
    EXPECT_LE(LargestDifference(journalled[step], guesses[step]), 1e-5) << "step " << step;
  }
}

}  // namespace
}  // namespace mixfeed::testing
