// A batch of every preset, and of each of MixMatch's modes, from a real server: rows, targets and
// pixels are those that the test mixes itself, from the dataset's labels, from the views before
// mixing, and from guesses that a feed of the same recipe shows which mixes nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "augment/recipe/presets.h"
#include "client/feed_client.h"
#include "tests/integration/net_kit.h"
#include "tests/testing/test_server.h"

namespace mixfeed::testing {
namespace {

constexpr uint32_t kBatch = 8;
constexpr uint64_t kStep = 3;
constexpr size_t kClasses = 10;
// Every image has 200 nearest of its own class.
constexpr int64_t kTrainImages = 201 * static_cast<int64_t>(kClasses);

using Image = std::vector<double>;  // levels of 0..255
using Target = std::vector<double>;

// The images and targets of one step before they are mixed.
struct Unmixed {
  v1::ViewsHeader header;
  std::vector<Image> images;
  std::vector<Target> targets;
};

class EveryPresetServedTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new TestServer({.train_images = kTrainImages, .test_images = 40});
    auto client = FeedClient::Connect({.server = server_->address()});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = client->release();
    ASSERT_NO_FATAL_FAILURE(MustRegister(*client_, LinearArchive(NetworkOf(0))));
  }
  static void TearDownTestSuite() {
    delete client_;
    delete server_;
  }

  // Guesses are those of a frozen model.
  static v1::FeedSpec SpecOf(const std::string& preset) {
    v1::FeedSpec spec;
    spec.mutable_recipe()->set_preset(preset);
    spec.set_batch(kBatch);
    spec.set_seed(7);
    if (FindPreset(preset)->guesses()) {
      spec.mutable_split()->set_validation(50);
      spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::NEWEST);
    }
    return spec;
  }

  static std::unique_ptr<Feed> Open(const v1::FeedSpec& spec) {
    auto feed = client_->OpenFeed(spec, "run");
    EXPECT_TRUE(feed.ok()) << feed.status();
    return feed.ok() ? *std::move(feed) : nullptr;
  }

  static v1::PixelFormat RawFloats() {
    v1::PixelFormat format;
    format.set_type(v1::FLOAT32);
    format.mutable_normalisation()->set_name("raw");
    return format;
  }

  // The guess of each unlabelled image, from a feed that mixes nothing.
  static std::vector<Target> GuessesOf(v1::FeedSpec spec, const v1::ViewsHeader& views) {
    std::vector<Target> guesses(views.unlabelled_rows());
    if (guesses.empty()) return guesses;
    spec.mutable_recipe()->mutable_mix()->set_enabled(false);
    const auto feed = Open(spec);
    const auto batch = feed->GetBatch(kStep, {});
    EXPECT_TRUE(batch.ok()) << batch.status();
    for (int r = 0; batch.ok() && r < batch->header().row_size(); ++r) {
      const int32_t guess = views.guess(static_cast<int>(batch->header().row(r)));
      const auto target = batch->targets().subspan(static_cast<size_t>(r) * kClasses, kClasses);
      if (guess >= 0) guesses[static_cast<size_t>(guess)].assign(target.begin(), target.end());
    }
    return guesses;
  }

  // What the dataset's label makes of an image, smoothed.
  static Target LabelOf(v1::Pool pool, uint32_t sample, double smoothing) {
    const ImageSet& images = pool == v1::TEST ? server_->dataset().test : server_->dataset().train;
    Target target(kClasses, smoothing / static_cast<double>(kClasses));
    target[static_cast<size_t>(images.labels[sample])] += 1 - smoothing;
    return target;
  }

  // Nothing after normalisation, which leaves levels as they are.
  static void FillHoles(const v1::ViewsHeader& header, std::vector<Image>* images) {
    const size_t height = header.batch().image().height(), width = header.batch().image().width();
    for (int i = 0; 4 * i < header.hole_size(); ++i) {
      Image& image = (*images)[static_cast<size_t>(i)];
      for (size_t p = 0; p < image.size(); ++p) {
        const size_t y = p / width % height, x = p % width;
        const auto end = [&](int e) { return header.hole(4 * i + e); };
        if (y >= end(0) && x >= end(1) && y < end(2) && x < end(3)) image[p] = 0;
      }
    }
  }

  static std::vector<Image> ImagesOf(const ReceivedViews& views) {
    const size_t pixels = static_cast<size_t>(server_->dataset().shape.pixels());
    std::vector<Image> images(views.header().images(), Image(pixels));
    for (size_t i = 0; i < images.size(); ++i) {
      for (size_t p = 0; p < pixels; ++p) {
        const size_t at = i * pixels + p;
        if (views.header().type() == v1::UINT8) {
          images[i][p] = static_cast<double>(views.pixels()[at]);
        } else {
          float level;
          std::memcpy(&level, views.pixels().data() + at * sizeof(level), sizeof(level));
          images[i][p] = static_cast<double>(level);
        }
      }
    }
    FillHoles(views.header(), &images);
    return images;
  }

  static Unmixed Before(const v1::FeedSpec& spec, Feed& feed) {
    const auto views = feed.GetViews(kStep);
    EXPECT_TRUE(views.ok()) << views.status();
    if (!views.ok()) return {};
    Unmixed before{.header = views->header(), .images = ImagesOf(*views), .targets = {}};
    const std::vector<Target> guesses = GuessesOf(spec, before.header);
    const double smoothing = feed.info().spec().recipe().mix().label_smoothing();
    for (int i = 0; i < static_cast<int>(before.header.images()); ++i) {
      const int32_t guess = before.header.guess(i);
      before.targets.push_back(
          guess >= 0 ? guesses[static_cast<size_t>(guess)]
                     : LabelOf(before.header.pool(i), before.header.sample(i), smoothing));
    }
    return before;
  }

  // Where the row's partner shows in its place; nothing where it is blended.
  static bool IsInBox(const v1::BatchHeader& header, int row, size_t pixel) {
    if (header.box_size() == 0) return false;
    const size_t width = header.image().width();
    const size_t x = pixel % width, y = pixel / width % header.image().height();
    const auto end = [&](int i) { return header.box(4 * row + i); };
    return y >= end(0) && x >= end(1) && y < end(2) && x < end(3);
  }
  static bool HasBox(const v1::BatchHeader& header, int row) {
    return header.box_size() > 0 && header.box(4 * row + 2) > 0;
  }

  // values[i] of the row's sources, each with its weight.
  static double Blend(const v1::BatchHeader& header, int row, const std::vector<Target>& values,
                      size_t i) {
    const auto at = [&](uint32_t source) { return values[source][i]; };
    double partners_weight = 1 - static_cast<double>(header.lambda(row));
    double sum = static_cast<double>(header.lambda(row)) * at(header.row(row));
    for (int m = row; m < header.more_partner_size(); m += header.row_size()) {
      sum += static_cast<double>(header.more_weight(m)) * at(header.more_partner(m));
      partners_weight -= static_cast<double>(header.more_weight(m));
    }
    return sum + partners_weight * at(header.partner(row));
  }

  static uint32_t RowsOf(const v1::FeedSpec& spec) {
    const v1::Recipe& recipe = spec.recipe();
    if (recipe.rows() == v1::Recipe::LABELLED_AND_UNLABELLED) {
      return spec.batch() * (1 + recipe.views() * recipe.unlabelled_ratio());
    }
    return recipe.mix().enabled() && recipe.mix().half() ? spec.batch() / 2 : spec.batch();
  }

  static double WeightOf(const v1::FeedSpec& spec) {
    const v1::UnlabelledWeight& weight = spec.recipe().weight();
    if (spec.recipe().rows() != v1::Recipe::LABELLED_AND_UNLABELLED) return 0;
    if (weight.ramp() == v1::UnlabelledWeight::NONE) return weight.value();
    const double progress =
        static_cast<double>(kStep) * (weight.ramp() == v1::UnlabelledWeight::IMAGES ? kBatch : 1);
    return weight.value() * std::min(progress / weight.ramp_length(), 1.0);
  }

  // That every row is an image of the pool that it says.
  static void CheckSamples(const v1::BatchHeader& header, Feed& feed) {
    const auto split = feed.GetSplit();
    ASSERT_TRUE(split.ok()) << split.status();
    const std::set<uint32_t> labelled(split->labelled().begin(), split->labelled().end());
    const std::set<uint32_t> unlabelled(split->unlabelled().begin(), split->unlabelled().end());
    const v1::FeedSpec& spec = feed.info().spec();
    uint32_t of_unlabelled = 0;
    for (int r = 0; r < header.row_size(); ++r) {
      if (header.pool(r) == v1::TEST) {
        EXPECT_EQ(header.sample(r), kStep * kBatch + static_cast<uint32_t>(r));
        continue;
      }
      const bool labels = header.pool(r) == v1::LABELLED;
      of_unlabelled += labels ? 0 : 1;
      EXPECT_TRUE((labels ? labelled : unlabelled).contains(header.sample(r))) << "row " << r;
    }
    const bool guesses = spec.recipe().rows() == v1::Recipe::LABELLED_AND_UNLABELLED;
    EXPECT_EQ(of_unlabelled, guesses ? header.rows() - kBatch : 0);
  }

  static void CheckHeader(const v1::BatchHeader& header, const Unmixed& before, Feed& feed) {
    const v1::FeedSpec& spec = feed.info().spec();
    EXPECT_EQ(header.step(), kStep);
    EXPECT_EQ(header.rows(), RowsOf(spec));
    ASSERT_EQ(header.row_size(), static_cast<int>(header.rows()));
    EXPECT_EQ(header.classes(), kClasses);
    EXPECT_DOUBLE_EQ(header.unlabelled_weight(), WeightOf(spec));
    for (int r = 0; r < header.row_size(); ++r) {
      const int image = static_cast<int>(header.row(r));
      EXPECT_EQ(header.sample(r), before.header.sample(image));
      EXPECT_EQ(header.pool(r), before.header.pool(image));
      EXPECT_EQ(header.view(r), before.header.view(image));
      EXPECT_LT(header.partner(r), before.header.images());
      EXPECT_TRUE(header.lambda(r) >= 0 && header.lambda(r) <= 1);
    }
    CheckSamples(header, feed);
  }

  static void CheckTargets(const ReceivedBatch& batch, const Unmixed& before, bool own) {
    const v1::BatchHeader& header = batch.header();
    ASSERT_EQ(batch.targets().size(), header.rows() * kClasses);
    for (int r = 0; r < header.row_size(); ++r) {
      const auto target = batch.targets().subspan(static_cast<size_t>(r) * kClasses, kClasses);
      EXPECT_NEAR(std::accumulate(target.begin(), target.end(), 0.0), 1, 1e-6);
      for (size_t c = 0; c < kClasses; ++c) {
        const double expected =
            own ? before.targets[header.row(r)][c] : Blend(header, r, before.targets, c);
        ASSERT_NEAR(static_cast<double>(target[c]), expected, 1e-6) << "row " << r;
      }
    }
  }

  static void CheckPixels(const ReceivedBatch& batch, const Unmixed& before) {
    const v1::BatchHeader& header = batch.header();
    const size_t pixels = before.images[0].size();
    ASSERT_EQ(batch.pixels().size(), header.rows() * pixels * sizeof(float));
    for (int r = 0; r < header.row_size(); ++r) {
      for (size_t p = 0; p < pixels; ++p) {
        const size_t at = static_cast<size_t>(r) * pixels + p;
        float level;
        std::memcpy(&level, batch.pixels().data() + at * sizeof(level), sizeof(level));
        double expected = before.images[header.row(r)][p];
        if (IsInBox(header, r, p)) {
          expected = before.images[header.partner(r)][p];
        } else if (header.layer() == 0 && !HasBox(header, r)) {
          expected = Blend(header, r, before.images, p);
        }
        ASSERT_NEAR(static_cast<double>(level), expected, 1e-3) << "row " << r << ", " << p;
      }
    }
  }

  // Opens the spec's feed and checks a batch of it, of which it returns the header.
  static v1::BatchHeader Check(const v1::FeedSpec& spec) {
    const auto feed = Open(spec);
    if (feed == nullptr) return {};
    const Unmixed before = Before(spec, *feed);
    const auto batch = feed->GetBatch(kStep, RawFloats());
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (::testing::Test::HasFailure()) return {};
    CheckHeader(batch->header(), before, *feed);
    CheckTargets(*batch, before, feed->info().spec().recipe().mix().targets() == v1::Mix::OWN);
    CheckPixels(*batch, before);
    return batch->header();
  }

  static TestServer* server_;
  static FeedClient* client_;
};

TestServer* EveryPresetServedTest::server_ = nullptr;
FeedClient* EveryPresetServedTest::client_ = nullptr;

TEST_F(EveryPresetServedTest, ABatchOfEachIsWhatItsHeaderSays) {
  for (const Preset& preset : Presets()) {
    Check(SpecOf(preset.name));
    ASSERT_FALSE(HasFailure()) << preset.name;
  }
}

// Of the labelled (x) and the unlabelled rows (y): the pool that partners come from; `both` of
// them, or that the rows are not mixed.
enum class Partners { kNone, kLabelled, kUnlabelled, kBoth };
struct ModeCase {
  v1::Mix::Mode mode;
  Partners x, y;
};
constexpr ModeCase kModes[] = {
    {v1::Mix::XXY_YXY, Partners::kBoth, Partners::kBoth},
    {v1::Mix::XX_YY, Partners::kLabelled, Partners::kUnlabelled},
    {v1::Mix::XX_YXY, Partners::kLabelled, Partners::kBoth},
    {v1::Mix::XX_YX, Partners::kLabelled, Partners::kLabelled},
    {v1::Mix::XX, Partners::kLabelled, Partners::kNone},
    {v1::Mix::YY, Partners::kNone, Partners::kUnlabelled},
    {v1::Mix::XXY, Partners::kBoth, Partners::kNone},
    {v1::Mix::YXY, Partners::kNone, Partners::kBoth},
    {v1::Mix::NOTHING, Partners::kNone, Partners::kNone},
};

// What the rows of `pool` are mixed with. A batch's rows are images in the order of header.row.
Partners PartnersOf(const v1::BatchHeader& header, v1::Pool pool) {
  std::vector<v1::Pool> pools(header.rows());
  for (int r = 0; r < header.row_size(); ++r) pools[header.row(r)] = header.pool(r);
  bool labelled = false, unlabelled = false;
  for (int r = 0; r < header.row_size(); ++r) {
    if (header.pool(r) != pool || header.lambda(r) == 1) continue;
    (pools[header.partner(r)] == v1::LABELLED ? labelled : unlabelled) = true;
  }
  if (labelled && unlabelled) return Partners::kBoth;
  if (labelled) return Partners::kLabelled;
  return unlabelled ? Partners::kUnlabelled : Partners::kNone;
}

TEST_F(EveryPresetServedTest, EachModeOfMixMatchMixesWithThePoolsOfItsName) {
  ASSERT_EQ(std::size(kModes) + 1, static_cast<size_t>(v1::Mix::Mode_ARRAYSIZE));
  for (const ModeCase& wanted : kModes) {
    v1::FeedSpec spec = SpecOf("mixmatch");
    spec.mutable_recipe()->mutable_mix()->set_mode(wanted.mode);
    const v1::BatchHeader header = Check(spec);
    ASSERT_FALSE(HasFailure()) << v1::Mix::Mode_Name(wanted.mode);
    EXPECT_EQ(PartnersOf(header, v1::LABELLED), wanted.x) << v1::Mix::Mode_Name(wanted.mode);
    EXPECT_EQ(PartnersOf(header, v1::UNLABELLED), wanted.y) << v1::Mix::Mode_Name(wanted.mode);
  }
}

}  // namespace
}  // namespace mixfeed::testing
