#ifndef MIXFEED_TESTS_AUGMENT_GUESS_JOURNAL_CONTRACT_H_
#define MIXFEED_TESTS_AUGMENT_GUESS_JOURNAL_CONTRACT_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "augment/guess/journal.h"

namespace mixfeed::testing {

struct JournalLimits {
  int64_t max_steps_per_feed = 0;
  int64_t max_bytes = 0;
};

// A place for one journal's guesses, empty at first.
class JournalStorage {
 public:
  virtual ~JournalStorage() = default;
  // Another object for the same guesses.
  virtual std::unique_ptr<Journal> Open(const JournalLimits& limits) = 0;
};

// What every journal must do (journal.h), whatever it keeps its guesses in. A test program
// instantiates it with what makes a storage; null skips the test.
class JournalContract
    : public ::testing::TestWithParam<std::function<std::unique_ptr<JournalStorage>()>> {
 protected:
  void SetUp() override {
    storage_ = GetParam()();
    if (storage_ == nullptr) GTEST_SKIP() << "what this journal is kept in is not installed";
  }
  std::unique_ptr<Journal> Open(const JournalLimits& limits = {}) { return storage_->Open(limits); }

 private:
  std::unique_ptr<JournalStorage> storage_;
};

StepGuess MakeGuess(float value, int rows = 4, int classes = 3);

StepGuess MustInsert(Journal* journal, const std::string& feed, int64_t step,
                     const StepGuess& guess);

// What Find says in a word: the first probability, "none", or the error.
std::string Look(Journal* journal, const std::string& feed, int64_t step);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_GUESS_JOURNAL_CONTRACT_H_
