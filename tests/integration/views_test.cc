// A trainer's own guesses over the wire: what it mixes of GetViews is what GetBatch sends.
//
// The guesses come by a way of their own: a feed of the same recipe that mixes nothing shows them
// as the targets of its unlabelled rows, and one model in one environment guesses alike for both.

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "augment/recipe/presets.h"
#include "client/mix.h"
#include "tests/integration/feed_fixture.h"

namespace mixfeed::testing {
namespace {

constexpr uint64_t kSteps = 2;

class ViewsTest : public FeedTest {
 protected:
  static v1::FeedSpec GuessingSpec(const std::string& preset) {
    v1::FeedSpec spec = Spec(preset);
    spec.mutable_split()->set_validation(50);
    spec.mutable_recipe()->mutable_guess()->set_model("small");
    spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::NEWEST);
    return spec;
  }

  // [unlabelled_rows][classes], of a feed that mixes nothing.
  static std::vector<float> ShownGuesses(Feed& unmixed, const ReceivedViews& views) {
    const auto batch = unmixed.GetBatch(views.header().batch().step(), {});
    EXPECT_TRUE(batch.ok()) << batch.status();
    const size_t classes = batch->header().classes();
    std::vector<float> guesses(views.header().unlabelled_rows() * classes);
    for (int r = 0; r < batch->header().row_size(); ++r) {
      const int32_t guess = views.header().guess(static_cast<int>(batch->header().row(r)));
      if (guess < 0) continue;
      const auto target = batch->targets().subspan(static_cast<size_t>(r) * classes, classes);
      std::ranges::copy(target, guesses.begin() + guess * static_cast<ptrdiff_t>(classes));
    }
    return guesses;
  }

  static void ExpectMixesToTheServersBatch(FeedClient& client, const v1::FeedSpec& spec) {
    v1::FeedSpec unmixed = spec;
    unmixed.mutable_recipe()->mutable_mix()->set_enabled(false);
    const auto feed = Open(client, spec);
    const auto shown = Open(client, unmixed);
    for (uint64_t step = 0; step < kSteps; ++step) {
      const auto views = feed->GetViews(step);
      ASSERT_TRUE(views.ok()) << views.status();
      const auto mixed =
          views->Mix(ShownGuesses(*shown, *views),
                     {PixelType::kFloat32, PixelLayout::kNchw, *FindNormalisation("signed")});
      ASSERT_TRUE(mixed.ok()) << mixed.status();
      const auto served = feed->GetBatch(step, {});
      ASSERT_TRUE(served.ok()) << served.status();
      EXPECT_TRUE(std::ranges::equal(mixed->pixels(), served->pixels()));
      EXPECT_TRUE(std::ranges::equal(mixed->targets(), served->targets()));
      EXPECT_EQ(mixed->Digest(), served->Digest());
    }
  }
};

TEST_F(ViewsTest, EveryPresetThatGuessesMixesToTheServersBatch) {
  const auto server = StartServer("a", {"--model", "small=resnet-small"});
  const auto client = ConnectTo(*server);
  int presets = 0;
  for (const Preset& preset : Presets()) {
    if (!FindPreset(preset.name)->guesses()) continue;
    ++presets;
    ExpectMixesToTheServersBatch(*client, GuessingSpec(preset.name));
    ASSERT_FALSE(HasFailure()) << preset.name;
  }
  EXPECT_GE(presets, 3);
}

TEST_F(ViewsTest, EveryModeOfMixMatchMixesToTheServersBatch) {
  const auto server = StartServer("a", {"--model", "small=resnet-small"});
  const auto client = ConnectTo(*server);
  for (int mode = 1; mode < v1::Mix::Mode_ARRAYSIZE; ++mode) {
    v1::FeedSpec spec = GuessingSpec("mixmatch");
    spec.mutable_recipe()->mutable_mix()->set_mode(static_cast<v1::Mix::Mode>(mode));
    ExpectMixesToTheServersBatch(*client, spec);
    ASSERT_FALSE(HasFailure()) << "mode " << mode;
  }
}

TEST_F(ViewsTest, AServerWithoutAModelGivesThemAndNothingIsWrittenDown) {
  auto server = StartServer("a");
  const std::string address = server->address();
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, GuessingSpec("mixmatch"));
  const auto views = feed->GetViews(7);
  ASSERT_TRUE(views.ok()) << views.status();
  const std::vector<float> guesses(views->targets().size() / 3, 0.1f);
  EXPECT_TRUE(views->Mix(guesses, {}).ok());
  EXPECT_EQ(feed->GetBatch(7, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  // The same again, from a server that began anew, and the step is the model's to guess.
  server.reset();
  server = StartServer("a", {"--listen", address, "--model", "small=resnet-small"});
  const auto again = feed->GetViews(7);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->Digest(), views->Digest());
  const auto batch = feed->GetBatch(7, {});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->header().guess().model(), "small");
}

}  // namespace
}  // namespace mixfeed::testing
