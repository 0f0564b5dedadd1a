#include "server/store/redis_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "augment/guess/not_yet.h"
#include "tests/augment/guess/journal_contract.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/redis_server.h"

namespace mixfeed::testing {
namespace {

constexpr char kStep3[] = "0000000000000000003";

// Where guesses of one test are; each journal has a client of its own, as servers do.
class RedisKeys : public JournalStorage {
 public:
  std::unique_ptr<Journal> Open(const JournalLimits& limits) override {
    return OpenWith(
        {.max_steps_per_feed = limits.max_steps_per_feed, .max_bytes = limits.max_bytes});
  }
  std::unique_ptr<Journal> OpenWith(const RedisJournalOptions& options) {
    auto client = RedisClient::Connect(server_.options());
    EXPECT_THAT(client, IsOk());
    clients_.push_back(*std::move(client));
    auto journal = RedisJournal::Create(options, clients_.back().get());
    EXPECT_THAT(journal, IsOk());
    return *std::move(journal);
  }
  RedisServer& server() { return server_; }

 private:
  RedisServer server_;
  std::vector<std::unique_ptr<RedisClient>> clients_;
};

std::unique_ptr<JournalStorage> MakeRedisKeys() {
  return RedisServer::IsInstalled() ? std::make_unique<RedisKeys>() : nullptr;
}

INSTANTIATE_TEST_SUITE_P(Redis, JournalContract, ::testing::Values(&MakeRedisKeys));

class RedisJournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::IsInstalled()) GTEST_SKIP() << "redis-server is not installed";
    keys_ = std::make_unique<RedisKeys>();
  }
  std::unique_ptr<Journal> Open(const RedisJournalOptions& options = {}) {
    return keys_->OpenWith(options);
  }
  RedisServer& server() { return keys_->server(); }
  // Not yet, in words that name the server.
  void ExpectWaits(const absl::Status& status) {
    EXPECT_TRUE(IsNotYet(status)) << status;
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kUnavailable, server().name()));
  }

  std::unique_ptr<RedisKeys> keys_;
};

TEST_F(RedisJournalTest, RefusesOptionsOutOfRange) {
  const auto client = RedisClient::Connect(server().options());
  for (const RedisJournalOptions& options :
       {RedisJournalOptions{.max_steps_per_feed = -1}, {.max_bytes = 1000}, {.cache_bytes = -1}}) {
    EXPECT_THAT(RedisJournal::Create(options, client->get()),
                FailsWith(absl::StatusCode::kInvalidArgument, "; allowed: "));
  }
}

TEST_F(RedisJournalTest, WhatOneWroteTheOtherReads) {
  const auto one = Open();
  const auto two = Open();
  EXPECT_EQ(Look(two.get(), "feed", 3), "none");
  MustInsert(one.get(), "feed", 3, MakeGuess(0.5f));
  EXPECT_EQ(*two->Find("feed", 3), MakeGuess(0.5f));
  EXPECT_EQ(MustInsert(two.get(), "feed", 3, MakeGuess(0.25f)), MakeGuess(0.5f));
}

TEST_F(RedisJournalTest, WhileItIsAwayOnlyWhatWasReadIsThere) {
  const auto writer = Open();
  const auto reader = Open();
  for (const int64_t step : {1, 2, 3}) {
    MustInsert(writer.get(), "feed", step, MakeGuess(0.125f * static_cast<float>(step)));
  }
  EXPECT_EQ(Look(reader.get(), "feed", 2), "0.25");
  EXPECT_FALSE(reader->IsAway());
  server().Kill();
  EXPECT_EQ(*reader->Find("feed", 2), MakeGuess(0.25f));
  EXPECT_TRUE(reader->IsAway());
  EXPECT_EQ(*writer->Find("feed", 3), MakeGuess(0.375f));  // as good as read
  ExpectWaits(reader->Find("feed", 3).status());
  ExpectWaits(reader->Insert("feed", 4, MakeGuess(0.5f)).status());
  ExpectWaits(reader->LastModel("feed").status());
  ExpectWaits(reader->Fork("feed", 2, "other"));
  server().Start();
  EXPECT_EQ(*reader->Find("feed", 3), MakeGuess(0.375f));
  EXPECT_FALSE(reader->IsAway());
  EXPECT_EQ(Look(reader.get(), "feed", 4), "none");
}

TEST_F(RedisJournalTest, KeepsCopiesWithinItsBound) {
  const auto journal = Open({.cache_bytes = 0});
  MustInsert(journal.get(), "feed", 1, MakeGuess(0.25f));
  MustInsert(journal.get(), "feed", 2, MakeGuess(0.5f));
  server().Kill();
  ExpectWaits(journal->Find("feed", 1).status());
  EXPECT_EQ(Look(journal.get(), "feed", 2), "0.5");  // the newest
}

TEST_F(RedisJournalTest, ADamagedGuessIsNamed) {
  const auto journal = Open();
  MustInsert(journal.get(), "feed", 3, MakeGuess(0.5f));
  const std::string whole = server().Ask({"HGET", "mixfeed:1:guesses:feed", kStep3}).text;
  std::string flipped = whole;
  flipped[60] = static_cast<char>(flipped[60] ^ 1);
  for (const std::string& damaged : {flipped, "2" + whole.substr(1), std::string(), whole + "x"}) {
    server().Ask({"HSET", "mixfeed:1:guesses:feed", kStep3, damaged});
    EXPECT_THAT(journal->Find("feed", 3),
                FailsWith(absl::StatusCode::kDataLoss,
                          server().name() + ": the guess in key mixfeed:1:guesses:feed, field " +
                              kStep3 + ", is damaged"));
    EXPECT_THAT(journal->LastModel("feed"),
                FailsWith(absl::StatusCode::kDataLoss, "mixfeed:1:guesses:feed"));
  }
}

TEST_F(RedisJournalTest, ADamagedGuessOfTheParentIsNamedByTheParentsKey) {
  const auto journal = Open();
  MustInsert(journal.get(), "feed", 3, MakeGuess(0.5f));
  ASSERT_THAT(journal->Fork("feed", 5, "forked"), IsOk());
  server().Ask({"HSET", "mixfeed:1:guesses:feed", kStep3, "0"});
  EXPECT_THAT(journal->Find("forked", 3),
              FailsWith(absl::StatusCode::kDataLoss, "mixfeed:1:guesses:feed"));
}

TEST_F(RedisJournalTest, WrongCountsAreNoticed) {
  const auto journal = Open({.max_bytes = 1 << 20});
  MustInsert(journal.get(), "feed", 3, MakeGuess(0.5f));
  server().Ask({"SET", "mixfeed:1:bytes", "1048577"});
  server().Ask({"DEL", "mixfeed:1:order"});
  EXPECT_THAT(journal->Insert("feed", 4, MakeGuess(0.5f)),
              FailsWith(absl::StatusCode::kDataLoss, "mixfeed:1:order"));
  EXPECT_EQ(Look(journal.get(), "feed", 4), "none");
}

TEST_F(RedisJournalTest, KeysOfAnotherTypeAreReported) {
  server().Ask({"SET", "mixfeed:1:guesses:feed", "somebody else's"});
  EXPECT_THAT(Open()->Find("feed", 3), FailsWith(absl::StatusCode::kDataLoss, "WRONGTYPE"));
}

TEST_F(RedisJournalTest, EveryKeyBeginsWithThePrefix) {
  const auto journal = Open({.max_steps_per_feed = 1});
  for (const int64_t step : {1, 2}) MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
  ASSERT_THAT(journal->Fork("feed", 5, "forked"), IsOk());
  std::vector<std::string> keys;
  for (const RedisReply& key : server().Ask({"KEYS", "*"}).elements) keys.push_back(key.text);
  std::sort(keys.begin(), keys.end());
  EXPECT_THAT(keys, ::testing::ElementsAre("mixfeed:1:bytes", "mixfeed:1:feed:feed",
                                           "mixfeed:1:feed:forked", "mixfeed:1:guesses:feed",
                                           "mixfeed:1:order", "mixfeed:1:sequence",
                                           "mixfeed:1:steps:feed"));
}

TEST_F(RedisJournalTest, WhatWasInsertedSurvivesKill9) {
  const auto journal = Open();
  for (int64_t step = 0; step < 20; ++step) {
    MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
    server().Kill();
    server().Start();
  }
  const auto fresh = Open();
  for (int64_t step = 0; step < 20; ++step) EXPECT_EQ(Look(fresh.get(), "feed", step), "0.5");
}

}  // namespace
}  // namespace mixfeed::testing
