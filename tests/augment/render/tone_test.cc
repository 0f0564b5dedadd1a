#include "augment/render/tone.h"

#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"

namespace mixfeed {
namespace {

constexpr Tone kTones[] = {{1, 0}, {1.25, 0}, {0.8, 0.3}, {1, -0.4}, {5, 2}, {0.01, 17}};

TEST(ToneTest, IsTheSigmoidOfTheScaledAndShiftedLogit) {
  for (const Tone& tone : kTones) {
    const ToneTable table = MakeToneTable(tone);
    for (int level = 0; level <= 255; ++level) {
      const double p = std::clamp(level / 255.0, 1e-7, 1 - 1e-7);
      const double logit = std::log(p) - std::log1p(-p);
      const double exact = 255 / (1 + std::exp(-tone.contrast * (logit + tone.brightness)));
      ASSERT_NEAR(ToneLevel(table, static_cast<float>(level)), exact, 2e-5)
          << tone.contrast << ", " << tone.brightness << ", " << level;
    }
  }
}

// fastai v1: sigmoid(contrast * logit(p)) of p = 1/5 is (1/4)^c / (1 + (1/4)^c).
TEST(ToneTest, ContrastOfTwoSquaresTheOdds) {
  EXPECT_NEAR(ToneLevel(MakeToneTable({2, 0}), 51), 255.0 / 17, 1e-5);
}

// But for the clamping of 0 and 1.
TEST(ToneTest, WithoutEffectALevelStaysAsItIs) {
  const ToneTable table = MakeToneTable({1, 0});
  for (int level = 0; level <= 255; ++level) {
    ASSERT_NEAR(ToneLevel(table, static_cast<float>(level)), level, 5e-5);
  }
}

TEST(ToneTest, IsLinearBetweenLevels) {
  const ToneTable table = MakeToneTable({1.5, 0.5});
  for (int level = 0; level < 255; ++level) {
    const float low = ToneLevel(table, static_cast<float>(level));
    const float high = ToneLevel(table, static_cast<float>(level + 1));
    ASSERT_NEAR(ToneLevel(table, static_cast<float>(level) + 0.25f), low + 0.25f * (high - low),
                2e-5);
  }
}

TEST(ToneTest, ALevelThatRoundingTookBeyondTheLastShowsTheLast) {
  const ToneTable table = MakeToneTable({1.5, 0.5});
  EXPECT_EQ(ToneLevel(table, 255.00002f), ToneLevel(table, 255.0f));
}

TEST(ToneTest, TheLimitsOfContrastAndBrightnessStayFiniteAndInRange) {
  for (const double contrast : {0.0, kMaxContrast}) {
    for (const double brightness : {-kMaxBrightness, kMaxBrightness}) {
      const ToneTable table = MakeToneTable({contrast, brightness});
      for (int level = 0; level <= 255; ++level) {
        const float toned = ToneLevel(table, static_cast<float>(level));
        ASSERT_GE(toned, 0.0f);
        ASSERT_LE(toned, 255.0f);
      }
    }
  }
}

TEST(ToneTest, TablesAreInTheOrderOfTheirTones) {
  const std::vector<ToneTable> tables = MakeToneTables(kTones);
  ASSERT_EQ(tables.size(), std::size(kTones));
  for (size_t i = 0; i < tables.size(); ++i) {
    EXPECT_EQ(ToneLevel(tables[i], 100), ToneLevel(MakeToneTable(kTones[i]), 100)) << i;
  }
}

}  // namespace
}  // namespace mixfeed
