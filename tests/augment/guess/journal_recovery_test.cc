// A journal whose file was damaged: what can be read is kept, what is lost is never guessed anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "augment/guess/journal.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kSteps = 60;
constexpr int kRows = 64;
constexpr int kClasses = 10;
constexpr std::streamoff kPage = 4096;  // SQLite's

// Other probabilities in every step; a guess takes most of a page.
StepGuess GuessOf(int64_t step) {
  StepGuess guess;
  guess.rows = kRows;
  guess.classes = kClasses;
  guess.model = "teacher";
  guess.environment = "here";
  for (int i = 0; i < kRows * kClasses; ++i) {
    guess.probabilities.push_back(static_cast<float>(step) + static_cast<float>(i) / 1024);
  }
  return guess;
}

class JournalRecoveryTest : public ::testing::Test {
 protected:
  JournalRecoveryTest() {
    const auto journal = Journal::Open({.path = path_});
    EXPECT_TRUE(journal.ok()) << journal.status();
    for (int64_t step = 0; step < kSteps; ++step) {
      EXPECT_TRUE((*journal)->Insert("feed", step, GuessOf(step)).ok());
    }
    EXPECT_TRUE((*journal)->Fork("feed", 20, "fork").ok());
  }

  void Overwrite(std::streamoff at, std::streamoff bytes) const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    for (std::streamoff i = 0; i < bytes; ++i) file.put('\x5a');
  }
  RecoveredJournal Recover() const {
    absl::StatusOr<RecoveredJournal> recovered = Journal::OpenOrRecover({.path = path_});
    EXPECT_TRUE(recovered.ok()) << recovered.status();
    return *std::move(recovered);
  }
  // Guesses that are still there, which must be what they were. The others are refused, unless
  // nothing could be read.
  static int64_t CountKept(const RecoveredJournal& recovered) {
    int64_t kept = 0;
    const bool none = recovered.notice.find("nothing could be read") != std::string::npos;
    for (int64_t step = 0; step < kSteps; ++step) {
      const auto found = recovered.journal->Find("feed", step);
      if (found.ok() && found->has_value()) {
        EXPECT_EQ(**found, GuessOf(step)) << step;
        ++kept;
      } else if (!none) {
        EXPECT_EQ(found.status().code(), absl::StatusCode::kFailedPrecondition) << step;
      }
    }
    return kept;
  }

  const TempDir directory_;
  const std::string path_ = directory_.File("journal.sqlite");
};

TEST_F(JournalRecoveryTest, ASoundFileIsOpenedAsItIs) {
  const RecoveredJournal opened = Recover();
  EXPECT_EQ(opened.notice, "");
  EXPECT_EQ(CountKept(opened), kSteps);
}

TEST_F(JournalRecoveryTest, GuessesOnSoundPagesAreKeptAndTheLostOnesRefused) {
  // Whatever page it is that is lost: the schema's, a table's root, an index, a guess.
  const auto pages = static_cast<std::streamoff>(std::filesystem::file_size(path_)) / kPage;
  ASSERT_GT(pages, kSteps);
  int64_t best = 0;
  for (std::streamoff page = 0; page < pages; page += 3) {
    SCOPED_TRACE(absl::StrCat("page ", page));
    std::filesystem::copy_file(path_, path_ + ".whole");
    Overwrite(page * kPage, kPage);
    {
      const RecoveredJournal recovered = Recover();
      const int64_t kept = CountKept(recovered);
      best = std::max(best, kept);
      EXPECT_THAT(recovered.notice, HasSubstr(path_ + ".damaged-1"));
      EXPECT_TRUE(std::filesystem::exists(path_ + ".damaged-1"));
      // Later steps go on, also in the fork.
      EXPECT_TRUE(recovered.journal->Insert("feed", kSteps, GuessOf(kSteps)).ok());
      EXPECT_TRUE(recovered.journal->Insert("fork", kSteps, GuessOf(1)).ok());
    }
    EXPECT_EQ(Recover().notice, "");
    for (const char* suffix : {"", "-wal", "-shm", ".damaged-1", ".damaged-1-wal"}) {
      std::filesystem::remove(path_ + suffix);
    }
    std::filesystem::rename(path_ + ".whole", path_);
  }
  EXPECT_EQ(best, kSteps - 1);
}

TEST_F(JournalRecoveryTest, ALostGuessSaysWhereReplayBegins) {
  const auto pages = static_cast<std::streamoff>(std::filesystem::file_size(path_)) / kPage;
  Overwrite(pages / 2 * kPage, kPage);
  const RecoveredJournal recovered = Recover();
  ASSERT_EQ(CountKept(recovered), kSteps - 1);
  EXPECT_THAT(recovered.notice,
              HasSubstr("59 guesses could be read and are kept; steps whose guesses are lost are "
                        "refused"));
  for (int64_t step = 0; step < kSteps; ++step) {
    const auto found = recovered.journal->Find("feed", step);
    if (found.ok()) continue;
    EXPECT_THAT(std::string(found.status().message()),
                HasSubstr("the oldest step from which all can be replayed is 60"));
    // A fork has what is left, too.
    if (step >= 20) continue;
    EXPECT_FALSE(recovered.journal->Find("fork", step).ok());
  }
  EXPECT_TRUE(recovered.journal->Find("fork", 19).ok());
}

TEST_F(JournalRecoveryTest, RetentionKeepsWhatIsKnownOfLostGuesses) {
  constexpr int kDropped = 10;
  const auto pages = static_cast<std::streamoff>(std::filesystem::file_size(path_)) / kPage;
  Overwrite(pages / 2 * kPage, kPage);
  EXPECT_EQ(CountKept(Recover()), kSteps - 1);
  auto journal = Journal::Open({.path = path_, .max_steps_per_feed = kSteps - kDropped});
  ASSERT_TRUE(journal.ok()) << journal.status();
  ASSERT_TRUE((*journal)->Insert("feed", kSteps, GuessOf(kSteps)).ok());
  EXPECT_EQ(CountKept({*std::move(journal), ""}), kSteps - kDropped - 1);  // and the lost one
}

TEST_F(JournalRecoveryTest, AFileThatIsNoDatabaseIsSetAsideToo) {
  Overwrite(0, 100);
  const RecoveredJournal recovered = Recover();
  EXPECT_THAT(recovered.notice,
              HasSubstr("nothing could be read, and all steps are guessed anew: "));
  EXPECT_TRUE(recovered.journal->Insert("feed", 0, GuessOf(0)).ok());
}

TEST_F(JournalRecoveryTest, OtherErrorsOfOpenPassAsTheyAre) {
  EXPECT_EQ(Journal::OpenOrRecover({.path = directory_.File("no/such/folder")}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Journal::OpenOrRecover({.path = ""}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(JournalRecoveryTest, EachDamagedFileKeepsItsOwnName) {
  Overwrite(0, 100);
  Recover();
  Overwrite(0, 100);
  EXPECT_THAT(Recover().notice, HasSubstr(".damaged-2"));
  EXPECT_TRUE(std::filesystem::exists(path_ + ".damaged-1"));
}

}  // namespace
}  // namespace mixfeed::testing
