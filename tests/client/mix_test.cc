// Batches that the client mixes of received views, against those that the server makes: one fake
// model, whose probabilities depend on every pixel, guesses on either side.
#include "client/mix.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "augment/recipe/presets.h"
#include "client/received_batch.h"
#include "server/rpc/wire_frame.h"
#include "tests/augment/batch/feed_kit.h"

namespace mixfeed {
namespace {

using testing::FakeModel;
using testing::FeedKit;
using ::testing::HasSubstr;

constexpr int kSteps = 3;
constexpr char kFeed[] = "feed";

ReceivedViews ViewsOf(const BatchMaker& maker, int64_t step) {
  const auto batch = maker.Make(step, maker.ViewsFormat(), {});
  EXPECT_TRUE(batch.ok()) << batch.status();
  const auto frame = MakeWireEncoder()(kFeed, *batch);
  EXPECT_TRUE(frame.ok()) << frame.status();
  auto views = DecodeViews(BytesOf(**frame), std::make_shared<BufferPool>(1));
  EXPECT_TRUE(views.ok()) << views.status();
  return *std::move(views);
}

// What the server sends of the step.
ReceivedBatch BatchOf(const BatchMaker& maker, int64_t step, const PixelFormat& format) {
  const auto batch = maker.Make(step, format, {});
  EXPECT_TRUE(batch.ok()) << batch.status();
  auto received =
      DecodeBatch(BytesOf(**MakeWireEncoder()(kFeed, *batch)), std::make_shared<BufferPool>(1));
  EXPECT_TRUE(received.ok()) << received.status();
  return *std::move(received);
}

// As a trainer does it: its model's probabilities of each view, then the guesses of them.
std::vector<float> Guess(const ReceivedViews& views, FakeModel* model) {
  const v1::ViewsHeader& header = views.header();
  const size_t rows = header.unlabelled_rows();
  const size_t classes = header.batch().classes();
  const v1::ImageShape& image = header.batch().image();
  const size_t pixels = size_t{image.channels()} * image.height() * image.width();
  std::vector<float> probabilities(header.views() * rows * classes);
  for (size_t k = 0; k < header.views(); ++k) {
    std::vector<float> input(rows * pixels);
    const PixelFormat format = {PixelType::kFloat32, PixelLayout::kNchw,
                                model->info().normalisation};
    EXPECT_TRUE(RenderImages(views, header.labelled_rows() + k * rows, rows, format,
                             std::as_writable_bytes(std::span(input)))
                    .ok());
    EXPECT_TRUE(model
                    ->Guess(input, static_cast<int>(rows), true,
                            std::span(probabilities).subspan(k * rows * classes, rows * classes))
                    .ok());
  }
  std::vector<float> guesses(rows * classes);
  if (rows == 0) return guesses;
  const absl::Status made = MakeGuesses(probabilities, static_cast<int>(header.views()),
                                        static_cast<int>(classes), header.temperature(), guesses);
  EXPECT_TRUE(made.ok()) << made;
  return guesses;
}

void ExpectEqualBatches(const ReceivedBatch& mixed, const ReceivedBatch& served) {
  v1::BatchHeader header = served.header();
  header.clear_guess();
  EXPECT_EQ(mixed.header().SerializeAsString(), header.SerializeAsString());
  EXPECT_TRUE(std::ranges::equal(mixed.pixels(), served.pixels()));
  ASSERT_EQ(mixed.targets().size(), served.targets().size());
  // Of the bytes, not the values: 0 and -0 are two.
  EXPECT_EQ(
      std::memcmp(mixed.targets().data(), served.targets().data(), served.targets().size_bytes()),
      0);
  EXPECT_EQ(mixed.Digest(), served.Digest());
}

void ExpectMixesToTheServersBatch(const FeedSpec& spec, const PixelFormat& format) {
  FeedKit kit({.shape = {3, 20, 18}});
  const auto maker = kit.Maker(spec);
  ASSERT_NE(maker, nullptr);
  for (int64_t step = 0; step < kSteps; ++step) {
    const ReceivedViews views = ViewsOf(*maker, step);
    const auto mixed = views.Mix(Guess(views, kit.model.get()), format);
    ASSERT_TRUE(mixed.ok()) << mixed.status();
    ExpectEqualBatches(*mixed, BatchOf(*maker, step, format));
  }
}

FeedSpec SpecOf(const std::string& preset, int batch = 8) {
  return FeedKit({.shape = {3, 20, 18}}).Spec(preset, batch);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const Preset& preset : Presets()) names.emplace_back(preset.name);
  return names;
}

class MixOfEveryPresetTest : public ::testing::TestWithParam<std::string> {};

TEST_P(MixOfEveryPresetTest, IsTheServersBatchBitForBit) {
  const Normalisation published = *FindNormalisation((*FindPresetEntry(GetParam()))->normalisation);
  ExpectMixesToTheServersBatch(SpecOf(GetParam()),
                               {PixelType::kFloat32, PixelLayout::kNchw, published});
  ExpectMixesToTheServersBatch(SpecOf(GetParam()), {PixelType::kUint8, PixelLayout::kNhwc, {}});
}

std::string TestName(const ::testing::TestParamInfo<std::string>& preset) {
  std::string name = preset.param;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, MixOfEveryPresetTest, ::testing::ValuesIn(Names()), &TestName);

TEST(MixViewsTest, EveryModeIsTheServersBatch) {
  for (int mode = 0; mode <= static_cast<int>(MixMode::kNone); ++mode) {
    FeedSpec spec = SpecOf("mixmatch");
    spec.recipe.mix.mode = static_cast<MixMode>(mode);
    ExpectMixesToTheServersBatch(spec, {});
    ASSERT_FALSE(::testing::Test::HasFailure()) << "mode " << mode;
  }
}

TEST(MixViewsTest, EveryFormatIsTheServersBatch) {
  for (const PixelType type :
       {PixelType::kUint8, PixelType::kFloat16, PixelType::kBfloat16, PixelType::kFloat32}) {
    for (const PixelLayout layout : {PixelLayout::kNchw, PixelLayout::kNhwc}) {
      PixelFormat format = {type, layout, {}};
      if (type != PixelType::kUint8) format.normalisation = *FindNormalisation("cifar10");
      ExpectMixesToTheServersBatch(SpecOf("mixmatch"), format);
    }
  }
}

struct Change {
  const char* name;
  std::function<void(Recipe*)> make;
};

// What the presets that guess do not do, or not all of it together.
const Change kChanges[] = {
    {"one view", [](Recipe* r) { r->views = 1; }},
    {"more unlabelled images", [](Recipe* r) { r->unlabelled_ratio = 3; }},
    {"interleaved", [](Recipe* r) { r->interleave = true; }},
    {"own targets", [](Recipe* r) { r->mix.targets = TargetRule::kOwn; }},
    {"smoothed labels", [](Recipe* r) { r->mix.label_smoothing = 0.1; }},
    {"four sources",
     [](Recipe* r) {
       r->mix.sources = 4;
       r->mix.lambda_floor = false;
     }},
    {"boxes and blends", [](Recipe* r) { r->mix.cutmix.probability = 0.5; }},
    {"a hidden layer",
     [](Recipe* r) {
       r->mix.layers = {0, 1, 2};
     }},
    {"part of the rows", [](Recipe* r) { r->mix.share = 0.5; }},
    {"sharper", [](Recipe* r) { r->guess.temperature = 0.1; }},
    {"a hole of 0 after normalisation", [](Recipe* r) { r->view.cutout.size = 6; }},
    {"a hole of levels",
     [](Recipe* r) {
       r->view.cutout = {.size = 6, .fill_with = CutoutFill::kLevels, .fill = {3, 99, 255}};
     }},
    {"rotated", [](Recipe* r) { r->view.warp.max_rotation = 10; }},
    {"other light and a hole",
     [](Recipe* r) {
       r->view.warp.max_lighting = 0.4;
       r->view.cutout.size = 6;
     }},
};

TEST(MixViewsTest, WhatRecipesCanDoIsTheServersBatch) {
  for (const Change& change : kChanges) {
    FeedSpec spec = SpecOf("mixmatch");
    change.make(&spec.recipe);
    const absl::Status valid = ValidateRecipe(spec.recipe);
    ASSERT_TRUE(valid.ok()) << change.name << ": " << valid;
    ExpectMixesToTheServersBatch(
        spec, {PixelType::kFloat32, PixelLayout::kNchw, *FindNormalisation("cifar10")});
    ASSERT_FALSE(::testing::Test::HasFailure()) << change.name;
  }
}

TEST(MixViewsTest, OtherGuessesGiveOtherTargetsAndTheSamePixels) {
  FeedKit kit;
  const auto maker = kit.Maker(kit.Spec("mixmatch"));
  const ReceivedViews views = ViewsOf(*maker, 0);
  const std::vector<float> uniform(8 * 10, 0.1f);
  const auto one = views.Mix(uniform, {});
  const auto other = views.Mix(Guess(views, kit.model.get()), {});
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_TRUE(std::ranges::equal(one->pixels(), other->pixels()));
  EXPECT_FALSE(std::ranges::equal(one->targets(), other->targets()));
}

// The plain function on the caller's memory, row by row by hand: lambda of a one-hot label and of
// a guess.
TEST(MixViewsTest, TargetsAreTheWeightedSumsOfLabelsAndGuesses) {
  FeedKit kit;
  const auto maker = kit.Maker(kit.Spec("mixmatch"));
  const ReceivedViews views = ViewsOf(*maker, 0);
  const v1::ViewsHeader& header = views.header();
  std::vector<float> guesses(8 * 10);
  for (size_t i = 0; i < guesses.size(); ++i) guesses[i] = i % 10 == i / 10 ? 0.75f : 0.25f / 9;
  std::vector<float> pixels(24 * 3 * 8 * 8), targets(24 * 10);
  ASSERT_TRUE(
      MixViews(views, guesses, {}, std::as_writable_bytes(std::span(pixels)), targets).ok());
  const auto own = [&](uint32_t image, size_t c) -> double {
    if (image >= 8) return guesses[(image - 8) % 8 * 10 + c];
    const int32_t sample = static_cast<int32_t>(header.sample(static_cast<int>(image)));
    const int label = kit.dataset->train.labels[static_cast<size_t>(sample)];
    return label == static_cast<int>(c) ? 1 : 0;
  };
  for (int r = 0; r < 24; ++r) {
    const double lambda = header.batch().lambda(r);
    for (size_t c = 0; c < 10; ++c) {
      const double want =
          lambda * own(header.batch().row(r), c) + (1 - lambda) * own(header.batch().partner(r), c);
      EXPECT_NEAR(targets[static_cast<size_t>(r) * 10 + c], want, 1e-6);
    }
  }
}

class MixErrorsTest : public ::testing::Test {
 protected:
  void ExpectRefused(std::span<const float> guesses, const PixelFormat& format, size_t pixel_bytes,
                     size_t target_count, const std::string& words) const {
    std::vector<float> pixels(pixel_bytes / sizeof(float) + 1), targets(target_count);
    const absl::Status status =
        MixViews(views_, guesses, format,
                 std::as_writable_bytes(std::span(pixels)).first(pixel_bytes), targets);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }

  static constexpr size_t kPixelBytes = 24 * 3 * 8 * 8 * sizeof(float);
  FeedKit kit_;
  const ReceivedViews views_ = ViewsOf(*kit_.Maker(kit_.Spec("mixmatch")), 0);
  std::vector<float> guesses_ = std::vector<float>(80, 0.1f);
};

TEST_F(MixErrorsTest, SizesNameTheArrayAndWhatItHolds) {
  ExpectRefused(std::span(guesses_).first(79), {}, kPixelBytes, 240,
                "guesses.size() is 79; allowed: 80, 8 rows of 10 classes");
  ExpectRefused(guesses_, {}, kPixelBytes, 239,
                "targets.size() is 239; allowed: 240, 24 rows of 10 classes");
  ExpectRefused(guesses_, {}, kPixelBytes - 1, 240, "24 images need 18432");
}

TEST_F(MixErrorsTest, GuessesMustBeDistributions) {
  guesses_[25] = std::numeric_limits<float>::quiet_NaN();
  ExpectRefused(guesses_, {}, kPixelBytes, 240, "guesses: probability of row 2, class 5 is nan");
  guesses_[25] = 0.5f;
  ExpectRefused(guesses_, {}, kPixelBytes, 240, "guesses: probabilities of row 2 sum to 1.4");
}

TEST_F(MixErrorsTest, FormatsAsForTheRenderer) {
  ExpectRefused(guesses_, {PixelType::kUint8, PixelLayout::kNchw, *FindNormalisation("unit")},
                kPixelBytes, 240, "uint8");
}

TEST_F(MixErrorsTest, ViewsThatWereNotReceived) {
  EXPECT_EQ(ReceivedViews().Mix({}, {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(MixErrorsTest, ImagesThatThereAreNot) {
  std::vector<float> out(3 * 8 * 8);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(out));
  EXPECT_TRUE(RenderImages(views_, 23, 1, {}, bytes).ok());
  for (const auto& [first, count] : {std::pair<size_t, size_t>{24, 1}, {0, 25}, {1, SIZE_MAX}}) {
    const absl::Status status = RenderImages(views_, first, count, {}, bytes);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("allowed: parts of the 24 images"));
  }
}

TEST(MixViewsTest, HiddenLabelsAreNotAmongTheViews) {
  FeedKit kit;
  const auto maker = kit.Maker(kit.Spec("mixmatch"));
  const ReceivedViews views = ViewsOf(*maker, 0);
  ASSERT_EQ(views.header().images(), 24u);
  for (size_t image = 0; image < 24; ++image) {
    const auto target = views.targets().subspan(image * 10, 10);
    const bool labelled = views.header().pool(static_cast<int>(image)) == v1::LABELLED;
    EXPECT_EQ(labelled, image < 8);
    EXPECT_EQ(std::ranges::count(target, 1.0f), labelled ? 1 : 0);
    EXPECT_EQ(std::ranges::count(target, 0.0f), labelled ? 9 : 10);
    EXPECT_EQ(views.header().guess(static_cast<int>(image)),
              labelled ? -1 : static_cast<int>((image - 8) % 8));
  }
}

TEST(MixViewsTest, NoModelIsAskedForViews) {
  FeedKit kit;
  kit.model = nullptr;
  const auto maker = kit.Maker(kit.Spec("mixmatch"));
  EXPECT_EQ(ViewsOf(*maker, 5).header().batch().step(), 5u);
  EXPECT_FALSE((*kit.journal->Find("feed", 5)).has_value());
}

// Values by hand, of equations 6 and 7 of MixMatch.
TEST(MakeGuessesTest, IsTheMeanSharpened) {
  const std::vector<float> views = {0.8f, 0.2f, 0.5f, 0.5f,   // view 0 of two images
                                    0.4f, 0.6f, 0.1f, 0.9f};  // view 1
  std::vector<float> guesses(4);
  ASSERT_TRUE(MakeGuesses(views, 2, 2, 0.5, guesses).ok());
  // Means .6, .4 and .3, .7; squares .36, .16 and .09, .49.
  EXPECT_NEAR(guesses[0], 0.36 / 0.52, 1e-6);
  EXPECT_NEAR(guesses[1], 0.16 / 0.52, 1e-6);
  EXPECT_NEAR(guesses[2], 0.09 / 0.58, 1e-6);
  EXPECT_NEAR(guesses[3], 0.49 / 0.58, 1e-6);
  ASSERT_TRUE(MakeGuesses(views, 2, 2, 1, guesses).ok());
  EXPECT_NEAR(guesses[2], 0.3, 1e-6);
}

TEST(MakeGuessesTest, RefusesWhatIsNoGuess) {
  struct Case {
    std::vector<float> probabilities;
    int views;
    int classes;
    double temperature;
    size_t guesses;
    const char* words;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Case cases[] = {
      {{0.5f, 0.5f}, 0, 2, 0.5, 2, "views is 0; allowed: from 1"},
      {{0.5f, 0.5f}, 1, 0, 0.5, 2, "guesses.size() is 2; allowed: multiples of the 0 classes"},
      {{0.5f, 0.5f}, 1, 2, 0.5, 1, "guesses.size() is 1; allowed: multiples of the 2 classes"},
      {{0.5f, 0.5f}, 2, 2, 0.5, 2, "probabilities.size() is 2; allowed: 4, 2 times as many"},
      {{0.5f, 0.5f}, 1, 2, 0, 2, "temperature is 0; allowed: 0.01"},
      {{0.5f, 0.5f}, 1, 2, nan, 2, "temperature is nan"},
      {{0.5f, 0.6f}, 1, 2, 0.5, 2, "probabilities: probabilities of row 0 sum to 1.1"},
      {{nan, 0.5f}, 1, 2, 0.5, 2, "probabilities: probability of row 0, class 0 is nan"},
      {{1.5f, -0.5f}, 1, 2, 0.5, 2, "probabilities: probability of row 0, class 1 is -0.5"},
  };
  for (const Case& bad : cases) {
    std::vector<float> guesses(bad.guesses);
    const absl::Status status =
        MakeGuesses(bad.probabilities, bad.views, bad.classes, bad.temperature, guesses);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.words;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.words));
  }
}

}  // namespace
}  // namespace mixfeed
