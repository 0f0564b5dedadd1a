#include "augment/batch/batch_maker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "augment/target/target.h"
#include "tests/augment/batch/expected_batch.h"
#include "tests/augment/batch/feed_kit.h"
#include "tests/testing/largest_difference.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::ContentsOf;
using ::mixfeed::testing::ExpectedBatch;
using ::mixfeed::testing::FeedKit;
using ::mixfeed::testing::LargestDifference;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kClasses = 10;
constexpr int64_t kStep = 5;

PixelFormat Float32(const std::string& normalisation) {
  return {PixelType::kFloat32, PixelLayout::kNchw, *FindNormalisation(normalisation)};
}

std::shared_ptr<const Batch> MakeOrDie(const BatchMaker& maker, int64_t step,
                                       const PixelFormat& format = {}, const Share& share = {}) {
  absl::StatusOr<std::shared_ptr<const Batch>> batch = maker.Make(step, format, share);
  if (!batch.ok()) ADD_FAILURE() << batch.status();
  return batch.ok() ? *batch : std::make_shared<Batch>();
}

std::span<const float> TargetOf(const Batch& batch, int row) {
  return batch.targets.subspan(static_cast<size_t>(row) * kClasses, kClasses);
}

// What a batch of `maker` must hold; its step has been made if it guesses.
ExpectedBatch Expected(const BatchMaker& maker, const Plan& plan, std::vector<float> guess = {}) {
  return {maker.dataset(), maker.spec().recipe, plan, std::move(guess)};
}

void ExpectTargets(const Batch& batch, const ExpectedBatch& expected) {
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    const std::vector<double> want = expected.Target(batch.row_index[r]);
    const auto target = TargetOf(batch, static_cast<int>(r));
    for (size_t c = 0; c < kClasses; ++c) EXPECT_NEAR(target[c], want[c], 1e-6) << r << " " << c;
    EXPECT_NEAR(std::accumulate(target.begin(), target.end(), 0.0), 1.0, 1e-6);
  }
}

std::span<const float> FloatPixels(const Batch& batch) {
  return {reinterpret_cast<const float*>(batch.pixels.data()), batch.pixels.size() / sizeof(float)};
}

class BatchMakerTest : public ::testing::Test {
 protected:
  FeedKit kit_;
};

class EveryPresetTest : public BatchMakerTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(EveryPresetTest, BatchIsWhatThePlanSays) {
  const auto maker = kit_.Maker(kit_.Spec(GetParam()));
  const auto batch = MakeOrDie(*maker, kStep, Float32("signed"));
  const Plan plan = *maker->MakePlan(kStep);
  EXPECT_EQ(batch->step, kStep);
  EXPECT_EQ(batch->size(), plan.size());
  EXPECT_EQ(batch->classes, kClasses);
  EXPECT_EQ(batch->shape, kit_.dataset->shape);
  EXPECT_EQ(batch->partner, plan.partner);
  EXPECT_EQ(batch->lambda, plan.lambda);
  std::vector<float> guess;
  if (maker->spec().recipe.guesses()) guess = (*kit_.journal->Find("feed", kStep))->probabilities;
  const ExpectedBatch expected = Expected(*maker, plan, guess);
  EXPECT_LE(LargestDifference(FloatPixels(*batch),
                              expected.Pixels(batch->row_index, batch->format.normalisation)),
            1e-6);
  ExpectTargets(*batch, expected);
}

TEST_P(EveryPresetTest, SharesAreTheRowsOfTheWholeBatch) {
  const auto maker = kit_.Maker(kit_.Spec(GetParam()));
  const PixelFormat format = {PixelType::kUint8, PixelLayout::kNhwc, {}};
  const auto whole = MakeOrDie(*maker, kStep, format);
  const size_t image = ImageBytes(whole->shape, format.type);
  std::vector<int> seen(whole->rows.size(), 0);
  for (int rank = 0; rank < 4; ++rank) {
    const auto part = MakeOrDie(*maker, kStep, format, {rank, 4});
    EXPECT_EQ(part->size() * 4, whole->size());
    for (size_t r = 0; r < part->rows.size(); ++r) {
      const size_t row = static_cast<size_t>(part->row_index[r]);
      ++seen[row];
      EXPECT_EQ(part->partner[r], whole->partner[row]);
      EXPECT_TRUE(std::ranges::equal(part->pixels.subspan(r * image, image),
                                     whole->pixels.subspan(row * image, image)));
      EXPECT_TRUE(std::ranges::equal(TargetOf(*part, static_cast<int>(r)),
                                     TargetOf(*whole, static_cast<int>(row))));
    }
  }
  EXPECT_THAT(seen, Each(1));
}

TEST_P(EveryPresetTest, SameBytesOnAnyThreadCountAndAgain) {
  constexpr int kManyChunks = 64;  // rows that the renderer gives to several threads
  constexpr int64_t kFirst = 0;    // the only full one of the ordered feed
  FeedSpec spec = kit_.Spec(GetParam(), kManyChunks);
  spec.recipe.labelled_sampling = Sampling::kTiled;  // of 40 labelled images
  FeedKit alone({.test = kManyChunks, .threads = 1});
  const std::string expected = ContentsOf(*MakeOrDie(*alone.Maker(spec), kFirst));
  for (const int threads : {2, 5, 70}) {
    FeedKit other({.test = kManyChunks, .threads = threads});
    const auto maker = other.Maker(spec);
    EXPECT_EQ(ContentsOf(*MakeOrDie(*maker, kFirst)), expected);
    EXPECT_EQ(ContentsOf(*MakeOrDie(*maker, kFirst)), expected);
  }
}

TEST_P(EveryPresetTest, SlotHoldsAlignedPixelsThenAlignedTargets) {
  const auto maker = kit_.Maker(kit_.Spec(GetParam()));
  const PixelFormat format = {PixelType::kUint8, PixelLayout::kNchw, {}};
  for (const Share share : {Share{0, 1}, Share{1, 8}}) {
    const auto batch = MakeOrDie(*maker, kStep, format, share);
    const std::byte* const memory = batch->slot->data();
    EXPECT_EQ(batch->pixels.data(), memory);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % kSlotAlignment, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(batch->targets.data()) % kSlotAlignment, 0u);
    EXPECT_GE(reinterpret_cast<const std::byte*>(batch->targets.data()),
              memory + batch->pixels.size());
    EXPECT_LE(reinterpret_cast<const std::byte*>(batch->targets.data() + batch->targets.size()),
              memory + batch->slot->size());
    EXPECT_EQ(static_cast<int64_t>(batch->slot->size()), maker->SlotBytes(format, share));
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, EveryPresetTest,
                         ::testing::Values("mixmatch", "mixup", "supervised", "eval"),
                         [](const auto& preset) { return std::string(preset.param); });

TEST_F(BatchMakerTest, GuessOriginTravelsWithTheBatch) {
  const auto maker = kit_.Maker(kit_.Spec("mixmatch"));
  const auto batch = MakeOrDie(*maker, kStep);
  ASSERT_TRUE(batch->guess.has_value());
  EXPECT_EQ(batch->guess->model, "fake");
  EXPECT_EQ(batch->guess->version, 3);
  EXPECT_EQ(batch->guess->age, kStep);
  EXPECT_EQ(batch->guess->environment, "test");
  EXPECT_FALSE(MakeOrDie(*kit_.Maker(kit_.Spec("mixup")), 0)->guess.has_value());
}

TEST_F(BatchMakerTest, ConfidenceIsTheMeanOverAllGuessesOfTheirLargestProbability) {
  FeedSpec spec = kit_.Spec("mixmatch");
  spec.recipe.mix.enabled = false;  // so that an unlabelled row's target is its guess
  const auto maker = kit_.Maker(spec);
  const auto batch = MakeOrDie(*maker, kStep);
  double sum = 0;
  int guessed = 0;
  for (size_t r = 0; r < batch->rows.size(); ++r) {
    if (batch->rows[r].pool != PoolId::kUnlabelled) continue;
    sum += std::ranges::max(batch->targets.subspan(r * kClasses, kClasses));
    ++guessed;
  }
  EXPECT_GT(guessed, 0);
  EXPECT_NEAR(batch->guess->confidence, sum / guessed, 1e-6);
  EXPECT_LT(batch->guess->confidence, 1);
  // A share tells of the whole step too.
  EXPECT_EQ(MakeOrDie(*maker, kStep, {}, {1, 2})->guess->confidence, batch->guess->confidence);
}

// A model that keeps the views it was shown, in no particular order.
class RecordingModel : public testing::FakeModel {
 public:
  using FakeModel::FakeModel;
  absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                     std::span<float> probabilities) override {
    {
      MutexLock lock(&mu_);
      shown_.emplace_back(views.begin(), views.end());
    }
    return FakeModel::Guess(views, rows, batch_statistics, probabilities);
  }
  std::vector<std::vector<float>> shown() {
    MutexLock lock(&mu_);
    return shown_;
  }

 private:
  Mutex mu_;
  std::vector<std::vector<float>> shown_ ABSL_GUARDED_BY(mu_);
};

TEST_F(BatchMakerTest, ModelIsShownEachViewUnmixedUnderItsOwnNormalisation) {
  const auto model = std::make_shared<RecordingModel>(kit_.dataset->shape, kClasses);
  kit_.model = model;
  const auto maker = kit_.Maker(kit_.Spec("mixmatch"));
  MakeOrDie(*maker, kStep, {PixelType::kUint8, PixelLayout::kNhwc, {}}, {1, 2});
  Plan plan = *maker->MakePlan(kStep);
  std::ranges::fill(plan.lambda, 1.0f);
  const std::vector<std::vector<float>> shown = model->shown();
  ASSERT_EQ(shown.size(), static_cast<size_t>(plan.views));
  for (int k = 0; k < plan.views; ++k) {
    std::vector<int32_t> rows(static_cast<size_t>(plan.unlabelled_rows));
    std::iota(rows.begin(), rows.end(), plan.labelled_rows + k * plan.unlabelled_rows);
    const auto expected = Expected(*maker, plan).Pixels(rows, *FindNormalisation("signed"));
    EXPECT_TRUE(std::ranges::any_of(shown, [&](const auto& view) {
      return LargestDifference(view, expected) <= 1e-6;
    })) << k;
  }
}

// Answers the first class, whatever it is shown.
class ConstantModel : public testing::FakeModel {
 public:
  using FakeModel::FakeModel;
  absl::Status Guess(std::span<const float>, int rows, bool,
                     std::span<float> probabilities) override {
    for (int row = 0; row < rows; ++row) {
      OneHot(0, probabilities.subspan(static_cast<size_t>(row) * kClasses, kClasses));
    }
    return absl::OkStatus();
  }
};

TEST_F(BatchMakerTest, JournalledStepIsTheSameUnderAnotherModel) {
  const auto maker = kit_.Maker(kit_.Spec("mixmatch"));
  const std::string before = ContentsOf(*MakeOrDie(*maker, kStep));
  kit_.model = std::make_shared<ConstantModel>(kit_.dataset->shape, kClasses);
  EXPECT_EQ(ContentsOf(*MakeOrDie(*maker, kStep)), before);
  // The other model does answer otherwise: another run of the same feed shows it.
  EXPECT_NE(ContentsOf(*MakeOrDie(*kit_.Maker(maker->spec(), "other run"), kStep)), before);
}

TEST_F(BatchMakerTest, JournalledStepNeedsNoModel) {
  const auto maker = kit_.Maker(kit_.Spec("mixmatch"));
  const std::string before = ContentsOf(*MakeOrDie(*maker, kStep));
  kit_.model = nullptr;
  EXPECT_EQ(ContentsOf(*MakeOrDie(*maker, kStep)), before);
  EXPECT_EQ(maker->Make(kStep + 1, {}, {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(BatchMakerTest, AChangedEnvironmentIsFlaggedAlsoInAReplay) {
  const auto maker = kit_.Maker(kit_.Spec("mixmatch"));
  EXPECT_FALSE(MakeOrDie(*maker, 0)->guess->environment_changed);
  kit_.model = std::make_shared<testing::FakeModel>(kit_.dataset->shape, kClasses, "elsewhere");
  for (int replay = 0; replay < 2; ++replay) {
    EXPECT_TRUE(MakeOrDie(*maker, 1)->guess->environment_changed);
  }
  EXPECT_FALSE(MakeOrDie(*maker, 2)->guess->environment_changed);
  EXPECT_FALSE(MakeOrDie(*maker, 0)->guess->environment_changed);
}

TEST_F(BatchMakerTest, SharesOfAStepRunTheModelOnceAView) {
  const auto maker = kit_.Maker(kit_.Spec("mixmatch"));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 4; ++rank) {
    threads.emplace_back([&, rank] {
      for (int64_t step = 0; step < 20; ++step) MakeOrDie(*maker, step, {}, {rank, 4});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kit_.model->calls(), 20 * maker->spec().recipe.views);
}

TEST_F(BatchMakerTest, HiddenLabelsDoNotReachTheBatch) {
  const FeedSpec spec = kit_.Spec("mixmatch");
  const std::string expected = ContentsOf(*MakeOrDie(*kit_.Maker(spec), kStep));
  FeedKit other;
  BatchMakerOptions options = other.MakerOptions(spec);
  for (const int32_t sample : options.split.unlabelled) {
    int16_t& label = other.dataset->train.labels[static_cast<size_t>(sample)];
    label = static_cast<int16_t>((label + 1) % kClasses);
  }
  const auto maker = *BatchMaker::Create(std::move(options));
  EXPECT_EQ(ContentsOf(*MakeOrDie(*maker, kStep)), expected);
}

TEST_F(BatchMakerTest, OrderedUnlabelledPoolHasUniformTargets) {
  FeedSpec spec = kit_.Spec("eval");
  spec.recipe.ordered_pool = PoolId::kUnlabelled;
  spec.split = kit_.Spec("mixmatch").split;
  EXPECT_THAT(MakeOrDie(*kit_.Maker(spec), 0)->targets, Each(0.1f));
}

TEST_F(BatchMakerTest, OrderedValidationRowsShowTheirLabels) {
  FeedSpec spec = kit_.Spec("eval");
  spec.recipe.ordered_pool = PoolId::kValidation;
  const auto maker = kit_.Maker(spec);
  const auto batch = MakeOrDie(*maker, 1);
  const Plan plan = *maker->MakePlan(1);
  ExpectTargets(*batch, Expected(*maker, plan));
  EXPECT_EQ(*std::max_element(batch->targets.begin(), batch->targets.end()), 1.0f);
}

TEST_F(BatchMakerTest, ImagesWithoutLabelHaveUniformTargets) {
  std::ranges::fill(kit_.dataset->test.labels, kNoLabel);
  EXPECT_THAT(MakeOrDie(*kit_.Maker(kit_.Spec("eval")), 0)->targets, Each(0.1f));
}

TEST_F(BatchMakerTest, ShortLastBatchIsDividedAsEvenlyAsItCanBe) {
  const auto maker = kit_.Maker(kit_.Spec("eval"));  // 50 images: 6 batches of 8, one of 2
  EXPECT_EQ(maker->steps(), 7);
  EXPECT_EQ(MakeOrDie(*maker, 6)->size(), 2);
  EXPECT_EQ(MakeOrDie(*maker, 6, {}, {0, 2})->row_index, std::vector<int32_t>{0});
  EXPECT_EQ(MakeOrDie(*maker, 6, {}, {1, 2})->row_index, std::vector<int32_t>{1});
  // floor(rank * 2 / 4): ranks 1 and 3 have a row, 0 and 2 none.
  const auto empty = MakeOrDie(*maker, 6, {}, {2, 4});
  EXPECT_EQ(empty->size(), 0);
  EXPECT_TRUE(empty->pixels.empty());
  EXPECT_EQ(MakeOrDie(*maker, 6, {}, {3, 4})->row_index, std::vector<int32_t>{1});
}

TEST_F(BatchMakerTest, SlotBytesDoNotOverflow32Bits) {
  FeedKit large({.shape = {3, 256, 256}, .train = 30, .test = 1});
  FeedSpec spec = large.Spec("mixmatch", kMaxBatch);
  spec.split.labelled = 10;
  spec.split.validation = 0;
  spec.recipe.views = 8;
  spec.recipe.labelled_sampling = spec.recipe.unlabelled_sampling = Sampling::kTiled;
  const auto maker = large.Maker(spec);
  const int64_t rows = int64_t{kMaxBatch} * 9;
  EXPECT_EQ(maker->SlotBytes({}, {}), rows * 3 * 256 * 256 * 4 + rows * kClasses * 4);
  EXPECT_EQ(maker->SlotBytes({}, {0, 4096}), 9 * 3 * 256 * 256 * 4 + 384);
}

TEST_F(BatchMakerTest, BadRequestsAreRefused) {
  const auto maker = kit_.Maker(kit_.Spec("eval"));
  const auto refused = [&](int64_t step, const PixelFormat& format, const Share& share) {
    return maker->Make(step, format, share).status();
  };
  EXPECT_EQ(refused(-1, {}, {}).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(refused(7, {}, {}).code(), absl::StatusCode::kOutOfRange);
  const PixelFormat normalised_bytes = {PixelType::kUint8, PixelLayout::kNchw,
                                        *FindNormalisation("unit")};
  EXPECT_EQ(refused(0, normalised_bytes, {}).code(), absl::StatusCode::kInvalidArgument);
  for (const Share share : {Share{0, 0}, Share{0, -1}, Share{0, 3}, Share{-1, 2}, Share{2, 2}}) {
    EXPECT_EQ(refused(0, {}, share).code(), absl::StatusCode::kInvalidArgument)
        << share.rank << " of " << share.world;
  }
  EXPECT_THAT(std::string(refused(0, {}, {0, 3}).message()),
              HasSubstr("world is 3; allowed: the divisors of the batch of 8"));
  EXPECT_THAT(std::string(refused(0, {}, {2, 2}).message()), HasSubstr("rank is 2; allowed: 0..1"));
}

TEST_F(BatchMakerTest, FullSlotPoolIsResourceExhaustedAndAnotherPoolHelps) {
  FeedKit small({.slot_bytes = 1024});
  const auto maker = small.Maker(small.Spec("mixup"));
  EXPECT_EQ(maker->Make(0, {}, {}).status().code(), absl::StatusCode::kResourceExhausted);
  const auto batch = maker->Make(0, {}, {}, &kit_.slots);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(kit_.slots.live_slots(), 1);
}

TEST_F(BatchMakerTest, SlotReturnsWithTheBatch) {
  const auto maker = kit_.Maker(kit_.Spec("mixup"));
  auto batch = MakeOrDie(*maker, 0);
  auto again = batch;
  EXPECT_EQ(kit_.slots.live_slots(), 1);
  batch.reset();
  EXPECT_EQ(kit_.slots.live_slots(), 1);
  again.reset();
  EXPECT_EQ(kit_.slots.live_slots(), 0);
}

TEST_F(BatchMakerTest, CreateRefusesPartsThatDoNotFit) {
  const FeedSpec spec = kit_.Spec("mixmatch");
  const auto refused = [&](void (*spoil)(FeedKit*, BatchMakerOptions*)) {
    BatchMakerOptions options = kit_.MakerOptions(spec);
    spoil(&kit_, &options);
    return BatchMaker::Create(std::move(options)).status().code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(refused([](FeedKit*, BatchMakerOptions* o) { o->dataset = nullptr; }), kInvalid);
  EXPECT_EQ(refused([](FeedKit*, BatchMakerOptions* o) { o->pool = nullptr; }), kInvalid);
  EXPECT_EQ(refused([](FeedKit*, BatchMakerOptions* o) { o->renderer = nullptr; }), kInvalid);
  EXPECT_EQ(refused([](FeedKit*, BatchMakerOptions* o) { o->slots = nullptr; }), kInvalid);
  EXPECT_EQ(refused([](FeedKit*, BatchMakerOptions* o) { o->guesser = nullptr; }), kInvalid);
  EXPECT_EQ(refused([](FeedKit*, BatchMakerOptions* o) { o->spec.recipe.view.pad = 2; }), kInvalid);
  EXPECT_EQ(refused([](FeedKit*, BatchMakerOptions* o) { o->spec.batch = 0; }), kInvalid);
  EXPECT_EQ(refused([](FeedKit* kit, BatchMakerOptions* o) {
              o->pool = kit->MakerOptions(kit->Spec("eval")).pool;
            }),
            kInvalid);
  EXPECT_EQ(refused([](FeedKit*, BatchMakerOptions* o) { o->split.unlabelled.clear(); }),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(BatchMakerTest, GuesserIsRefusedWhereNothingIsGuessed) {
  BatchMakerOptions options = kit_.MakerOptions(kit_.Spec("mixup"));
  options.guesser = std::move(kit_.MakerOptions(kit_.Spec("mixmatch")).guesser);
  EXPECT_EQ(BatchMaker::Create(std::move(options)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mixfeed
