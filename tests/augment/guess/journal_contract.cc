#include "tests/augment/guess/journal_contract.h"

#include <gmock/gmock.h>

#include <limits>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mixfeed::testing {

using ::testing::AllOf;
using ::testing::HasSubstr;

StepGuess MakeGuess(float value, int rows, int classes) {
  StepGuess guess;
  guess.rows = rows;
  guess.classes = classes;
  guess.probabilities.assign(static_cast<size_t>(rows) * static_cast<size_t>(classes), value);
  guess.model = "teacher";
  guess.model_version = 7;
  guess.model_update = 40;
  guess.weights = "00112233445566778899aabbccddeeff";
  guess.age = 2;
  guess.environment = "libtorch, 2 guess threads";
  return guess;
}

StepGuess MustInsert(Journal* journal, const std::string& feed, int64_t step,
                     const StepGuess& guess) {
  absl::StatusOr<StepGuess> stored = journal->Insert(feed, step, guess);
  EXPECT_TRUE(stored.ok()) << stored.status();
  return stored.ok() ? *std::move(stored) : StepGuess();
}

std::string Look(Journal* journal, const std::string& feed, int64_t step) {
  const absl::StatusOr<std::optional<StepGuess>> found = journal->Find(feed, step);
  if (!found.ok()) return std::string(absl::StatusCodeToString(found.status().code()));
  return found->has_value() ? absl::StrCat((*found)->probabilities.at(0)) : "none";
}

namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

// Almost a quarter of the smallest journal.
StepGuess QuarterMebibyte(float value) { return MakeGuess(value, 255, 256); }

// Whether the journal flags a guess of that feed and environment.
bool IsFlagged(Journal* journal, const std::string& feed, int64_t step,
               const std::string& environment) {
  StepGuess guess = MakeGuess(0.5f);
  guess.environment = environment;
  const bool flagged = MustInsert(journal, feed, step, guess).environment_changed;
  EXPECT_EQ((*journal->Find(feed, step))->environment_changed, flagged);
  return flagged;
}

TEST_P(JournalContract, KeepsEveryBitOfAGuess) {
  StepGuess guess = MakeGuess(0.25f);
  guess.probabilities[1] = std::numeric_limits<float>::denorm_min();
  guess.probabilities[2] = 0x1.fffffep-1f;
  guess.environment = std::string("a 'quoted' \0 byte", 17);
  guess.more = {{"second", 8, 2, "w8"}, {"third", 0, 0, ""}};
  {
    const auto journal = Open();
    EXPECT_EQ(MustInsert(journal.get(), "feed", 0, guess), guess);
  }
  const auto journal = Open();
  const auto found = journal->Find("feed", 0);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, guess);
}

TEST_P(JournalContract, StepsAndFeedsAreApart) {
  const auto journal = Open();
  const int64_t last = std::numeric_limits<int64_t>::max();
  MustInsert(journal.get(), "a", 3, MakeGuess(0.5f));
  MustInsert(journal.get(), "b", last, MakeGuess(0.75f));
  EXPECT_EQ(Look(journal.get(), "a", 3), "0.5");
  EXPECT_EQ(Look(journal.get(), "b", last), "0.75");
  EXPECT_EQ(Look(journal.get(), "a", 2), "none");
  EXPECT_EQ(Look(journal.get(), "a", last), "none");
  EXPECT_EQ(Look(journal.get(), "b", 3), "none");
  EXPECT_EQ(Look(journal.get(), "c", 3), "none");
}

TEST_P(JournalContract, FirstWriterWins) {
  const auto journal = Open();
  const StepGuess first = MakeGuess(0.5f);
  StepGuess second = MakeGuess(0.25f);
  second.model = "another";
  EXPECT_EQ(MustInsert(journal.get(), "feed", 1, first), first);
  EXPECT_EQ(MustInsert(journal.get(), "feed", 1, second), first);
  EXPECT_EQ(Look(journal.get(), "feed", 1), "0.5");
}

TEST_P(JournalContract, FlagsAChangeOfEnvironmentWithinAFeed) {
  // Retention does not make it forget.
  const JournalLimits options{.max_steps_per_feed = 1};
  {
    const auto journal = Open(options);
    EXPECT_FALSE(IsFlagged(journal.get(), "feed", 0, ""));
    EXPECT_FALSE(IsFlagged(journal.get(), "feed", 1, ""));
    EXPECT_TRUE(IsFlagged(journal.get(), "feed", 2, "one"));
    EXPECT_FALSE(IsFlagged(journal.get(), "feed", 3, "one"));
    EXPECT_FALSE(IsFlagged(journal.get(), "other", 0, "two"));
  }
  const auto journal = Open(options);
  EXPECT_TRUE(IsFlagged(journal.get(), "feed", 4, "two"));
  EXPECT_TRUE(IsFlagged(journal.get(), "feed", 5, "one"));
  EXPECT_FALSE(IsFlagged(journal.get(), "feed", 6, "one"));
}

TEST_P(JournalContract, KnowsTheModelOfAFeedsHighestStep) {
  const auto journal = Open();
  EXPECT_EQ(*journal->LastModel("feed"), std::nullopt);
  StepGuess guess = MakeGuess(0.5f);
  for (const auto& [step, model] : {std::pair(5, "old"), {9, "new"}, {7, "between"}}) {
    guess.model = model;
    MustInsert(journal.get(), "feed", step, guess);
  }
  MustInsert(journal.get(), "other", 100, MakeGuess(0.5f));
  EXPECT_EQ(*journal->LastModel("feed"), "new");
}

TEST_P(JournalContract, RefusesGuessesThatDoNotFitThemselves) {
  const auto journal = Open();
  StepGuess short_one = MakeGuess(0.5f);
  short_one.probabilities.pop_back();
  const StepGuess empty = MakeGuess(0.5f, 0, 3);
  for (const auto& status :
       {journal->Insert("feed", 1, short_one).status(), journal->Insert("feed", 1, empty).status(),
        journal->Insert("feed", -1, MakeGuess(0.5f)).status(),
        journal->Insert("", 1, MakeGuess(0.5f)).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
  EXPECT_EQ(Look(journal.get(), "feed", 1), "none");
}

TEST_P(JournalContract, DropsLowestStepsBeyondTheStepLimit) {
  const auto journal = Open({.max_steps_per_feed = 2});
  for (const int64_t step : {5, 6, 7}) MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
  MustInsert(journal.get(), "other", 0, MakeGuess(0.25f));
  EXPECT_EQ(Look(journal.get(), "feed", 5), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "feed", 6), "0.5");
  EXPECT_EQ(Look(journal.get(), "feed", 7), "0.5");
  EXPECT_EQ(Look(journal.get(), "feed", 8), "none");
  EXPECT_EQ(Look(journal.get(), "other", 0), "0.25");
}

TEST_P(JournalContract, ADroppedStepIsNeverGuessedAgain) {
  const JournalLimits options{.max_steps_per_feed = 1};
  {
    const auto journal = Open(options);
    for (const int64_t step : {0, 1}) MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
  }
  const auto journal = Open(options);
  const absl::Status found = journal->Find("feed", 0).status();
  EXPECT_EQ(found.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      found.message(),
      AllOf(HasSubstr("feed feed, step 0 is no longer in the journal, which keeps 1 steps of "
                      "a feed and all bytes over all"),
            HasSubstr("the oldest step from which all can be replayed is 1;")));
  EXPECT_EQ(journal->Insert("feed", 0, MakeGuess(0.25f)).status(), found);
  EXPECT_EQ(Look(journal.get(), "feed", 1), "0.5");
}

TEST_P(JournalContract, AStepBelowAFullFeedIsRefusedAndChangesNothing) {
  const auto journal = Open({.max_steps_per_feed = 2});
  for (const int64_t step : {5, 6}) MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
  EXPECT_EQ(journal->Insert("feed", 4, MakeGuess(0.25f)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Look(journal.get(), "feed", 4), "none");
  EXPECT_EQ(Look(journal.get(), "feed", 5), "0.5");
}

TEST_P(JournalContract, DropsFromTheFeedWithTheOldestGuessBeyondTheByteLimit) {
  const auto journal = Open({.max_bytes = kMebibyte});
  for (const int64_t step : {0, 1}) MustInsert(journal.get(), "old", step, QuarterMebibyte(0.5f));
  for (const int64_t step : {0, 1, 2}) {
    MustInsert(journal.get(), "new", step, QuarterMebibyte(0.25f));
  }
  EXPECT_EQ(Look(journal.get(), "old", 0), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "old", 1), "0.5");
  for (const int64_t step : {0, 1, 2}) EXPECT_EQ(Look(journal.get(), "new", step), "0.25");

  for (const int64_t step : {3, 4}) MustInsert(journal.get(), "new", step, QuarterMebibyte(0.25f));
  EXPECT_EQ(Look(journal.get(), "old", 1), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "new", 0), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "new", 1), "0.25");
}

TEST_P(JournalContract, AGuessLargerThanTheJournalIsRefusedAndChangesNothing) {
  const auto journal = Open({.max_bytes = kMebibyte});
  MustInsert(journal.get(), "feed", 0, MakeGuess(0.5f));
  EXPECT_EQ(journal->Insert("feed", 1, MakeGuess(0.25f, 1024, 257)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Look(journal.get(), "feed", 0), "0.5");
  EXPECT_EQ(Look(journal.get(), "feed", 1), "none");
}

TEST_P(JournalContract, CountsTextsAndARowsOverhead) {
  const auto journal = Open({.max_bytes = kMebibyte});
  StepGuess guess = MakeGuess(0.5f, 1, 1);
  guess.environment.assign(kMebibyte / 4, 'e');
  for (const int64_t step : {0, 1, 2, 3}) MustInsert(journal.get(), "feed", step, guess);
  EXPECT_EQ(Look(journal.get(), "feed", 0), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "feed", 1), "0.5");
}

TEST_P(JournalContract, ALimitOfZeroIsNone) {
  const auto journal = Open({.max_steps_per_feed = 0, .max_bytes = 0});
  for (int64_t step = 0; step < 8; ++step) {
    MustInsert(journal.get(), "feed", step, QuarterMebibyte(0.5f));
  }
  EXPECT_EQ(Look(journal.get(), "feed", 0), "0.5");
}

TEST_P(JournalContract, WhatIsDroppedIsNoLongerCounted) {
  const auto narrow = Open({.max_bytes = kMebibyte});
  for (int64_t step = 0; step < 40; ++step) {
    MustInsert(narrow.get(), "feed", step, QuarterMebibyte(0.5f));
    EXPECT_EQ(Look(narrow.get(), "feed", std::max<int64_t>(0, step - 3)), "0.5") << step;
  }
}

TEST_P(JournalContract, ASmallerLimitIsReachedOverSeveralCalls) {
  {
    const auto journal = Open();
    for (int64_t step = 0; step < 1500; ++step) {
      MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
    }
  }
  const auto journal = Open({.max_steps_per_feed = 1});
  MustInsert(journal.get(), "feed", 1500, MakeGuess(0.5f));
  EXPECT_EQ(Look(journal.get(), "feed", 999), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "feed", 1000), "0.5");
  MustInsert(journal.get(), "feed", 1501, MakeGuess(0.5f));
  EXPECT_EQ(Look(journal.get(), "feed", 1500), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "feed", 1501), "0.5");
}

TEST_P(JournalContract, HasTheGuessesBelowItsStepAndItsOwnFromThereOn) {
  const auto journal = Open();
  for (int64_t step = 0; step < 6; ++step) {
    MustInsert(journal.get(), "a", step, MakeGuess(0.125f * static_cast<float>(step)));
  }
  ASSERT_TRUE(journal->Fork("a", 4, "b").ok());
  for (int64_t step = 0; step < 4; ++step) {
    EXPECT_EQ(*journal->Find("b", step), *journal->Find("a", step)) << step;
  }
  EXPECT_EQ(*journal->Find("b", 4), std::nullopt);
  MustInsert(journal.get(), "b", 4, MakeGuess(0.875f));
  EXPECT_EQ((*journal->Find("b", 4))->probabilities[0], 0.875f);
  EXPECT_EQ((*journal->Find("a", 4))->probabilities[0], 0.5f);
  // The first writer wins across the fork, too.
  EXPECT_EQ(MustInsert(journal.get(), "b", 2, MakeGuess(0.875f)).probabilities[0], 0.25f);
}

TEST_P(JournalContract, ForksOfForksReachBackAsFarAsEachAllows) {
  const auto journal = Open();
  MustInsert(journal.get(), "a", 1, MakeGuess(0.25f));
  MustInsert(journal.get(), "a", 3, MakeGuess(0.5f));
  ASSERT_TRUE(journal->Fork("a", 2, "b").ok());
  ASSERT_TRUE(journal->Fork("b", 10, "c").ok());
  EXPECT_TRUE((*journal->Find("c", 1)).has_value());
  EXPECT_FALSE((*journal->Find("c", 3)).has_value());   // not b's
  MustInsert(journal.get(), "b", 5, MakeGuess(0.75f));  // later than the fork
  EXPECT_TRUE((*journal->Find("c", 5)).has_value());
}

TEST_P(JournalContract, LastModelIsTheForksOwnOrItsParents) {
  const auto journal = Open();
  StepGuess guess = MakeGuess(0.25f);
  guess.model = "early";
  MustInsert(journal.get(), "a", 1, guess);
  guess.model = "late";
  MustInsert(journal.get(), "a", 7, guess);
  ASSERT_TRUE(journal->Fork("a", 5, "b").ok());
  EXPECT_EQ(**journal->LastModel("b"), "early");
  guess.model = "own";
  MustInsert(journal.get(), "b", 5, guess);
  EXPECT_EQ(**journal->LastModel("b"), "own");
  ASSERT_TRUE(journal->Fork("none", 5, "c").ok());
  EXPECT_EQ(*journal->LastModel("c"), std::nullopt);
}

TEST_P(JournalContract, AnotherEnvironmentThanTheParentsIsFlagged) {
  const auto journal = Open();
  MustInsert(journal.get(), "a", 1, MakeGuess(0.25f));
  ASSERT_TRUE(journal->Fork("a", 2, "b").ok());
  ASSERT_TRUE(journal->Fork("a", 2, "c").ok());
  StepGuess moved = MakeGuess(0.5f);
  moved.environment = "another machine";
  EXPECT_TRUE(MustInsert(journal.get(), "b", 2, moved).environment_changed);
  EXPECT_FALSE(MustInsert(journal.get(), "c", 2, MakeGuess(0.5f)).environment_changed);
}

TEST_P(JournalContract, WhatTheParentDroppedIsGoneForTheForkToo) {
  const auto journal = Open({.max_steps_per_feed = 2});
  for (int64_t step = 0; step < 4; ++step) MustInsert(journal.get(), "a", step, MakeGuess(0.5f));
  ASSERT_TRUE(journal->Fork("a", 4, "b").ok());
  EXPECT_EQ(journal->Find("b", 1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE((*journal->Find("b", 2)).has_value());
}

TEST_P(JournalContract, IsRefusedWhereAFeedHasAPastOfItsOwn) {
  {
    const auto journal = Open();
    MustInsert(journal.get(), "a", 1, MakeGuess(0.25f));
    MustInsert(journal.get(), "b", 1, MakeGuess(0.5f));
    EXPECT_EQ(journal->Fork("a", 3, "b").code(), absl::StatusCode::kAlreadyExists);
    ASSERT_TRUE(journal->Fork("a", 3, "c").ok());
  }
  const auto journal = Open();
  EXPECT_TRUE(journal->Fork("a", 3, "c").ok());  // the same again
  EXPECT_EQ(journal->Fork("a", 4, "c").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(journal->Fork("b", 3, "c").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(journal->Fork("a", 3, "a").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(journal->Fork("a", -1, "d").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(journal->Fork("a", 3, "").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE((*journal->Find("c", 1)).has_value());
}

TEST_P(JournalContract, ThreadsAgreeOnEveryStep) {
  constexpr int kThreads = 4;
  constexpr int64_t kSteps = 30;
  const auto one = Open();
  const auto two = Open();
  std::vector<std::vector<StepGuess>> seen(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Journal* const journal = t % 2 == 0 ? one.get() : two.get();
      for (int64_t step = 0; step < kSteps; ++step) {
        seen[static_cast<size_t>(t)].push_back(
            MustInsert(journal, "feed", step, MakeGuess(static_cast<float>(t))));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& others : seen) EXPECT_EQ(others, seen[0]);
}

}  // namespace
}  // namespace mixfeed::testing
