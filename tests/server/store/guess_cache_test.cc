#include "server/store/guess_cache.h"

#include <gtest/gtest.h>

namespace mixfeed {
namespace {

// Of about 4 KB.
StepGuess GuessOf(float value) {
  StepGuess guess;
  guess.rows = 100;
  guess.classes = 10;
  guess.probabilities.assign(1000, value);
  return guess;
}

TEST(GuessCacheTest, KeepsGuessesOfFeedsAndStepsApart) {
  GuessCache cache(1 << 20);
  cache.Put("a", 1, GuessOf(0.25f));
  cache.Put("a", 2, GuessOf(0.5f));
  cache.Put("b", 1, GuessOf(0.75f));
  EXPECT_EQ(cache.Find("a", 1), GuessOf(0.25f));
  EXPECT_EQ(cache.Find("a", 2), GuessOf(0.5f));
  EXPECT_EQ(cache.Find("b", 1), GuessOf(0.75f));
  EXPECT_EQ(cache.Find("b", 2), std::nullopt);
}

TEST(GuessCacheTest, BeyondItsBoundTheOneGoesThatWasNotLookedAtForLongest) {
  GuessCache cache(10'000);  // two of them
  cache.Put("a", 1, GuessOf(1));
  cache.Put("a", 2, GuessOf(2));
  EXPECT_TRUE(cache.Find("a", 1).has_value());
  cache.Put("a", 3, GuessOf(3));
  EXPECT_TRUE(cache.Find("a", 1).has_value());
  EXPECT_FALSE(cache.Find("a", 2).has_value());
  cache.Put("a", 1, GuessOf(1));  // as good as a look
  cache.Put("a", 4, GuessOf(4));
  EXPECT_TRUE(cache.Find("a", 1).has_value());
  EXPECT_FALSE(cache.Find("a", 3).has_value());
}

TEST(GuessCacheTest, TheNewestStaysHoweverLargeItIs) {
  GuessCache cache(0);
  cache.Put("a", 1, GuessOf(1));
  EXPECT_TRUE(cache.Find("a", 1).has_value());
  cache.Put("a", 2, GuessOf(2));
  EXPECT_FALSE(cache.Find("a", 1).has_value());
  EXPECT_TRUE(cache.Find("a", 2).has_value());
}

}  // namespace
}  // namespace mixfeed
