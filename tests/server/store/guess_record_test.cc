#include "server/store/guess_record.h"

#include <gtest/gtest.h>

#include <limits>

namespace mixfeed {
namespace {

StepGuess SomeGuess() {
  StepGuess guess;
  guess.rows = 2;
  guess.classes = 3;
  guess.probabilities = {0.25f, std::numeric_limits<float>::denorm_min(), 0.5f, 0x1.fffffep-1f, 0,
                         1};
  guess.model = "teacher";
  guess.model_version = 7;
  guess.model_update = std::numeric_limits<int64_t>::max();
  guess.weights = "00112233445566778899aabbccddeeff";
  guess.age = 2;
  guess.environment = std::string("a 'quoted' \0 byte", 17);
  guess.more = {{"second", 8, 2, "w8"}, {"third", 0, 0, ""}};
  return guess;
}

TEST(GuessRecordTest, KeepsEveryBit) {
  EXPECT_EQ(DecodeGuess(EncodeGuess(SomeGuess())), SomeGuess());
}

TEST(GuessRecordTest, LiesInMemoryAsItIsWrittenDown) {
  // The format's number, rows, classes, and the version's first byte.
  EXPECT_EQ(EncodeGuess(SomeGuess()).substr(0, 13), std::string("\1\0\0\0\2\0\0\0\3\0\0\0\7", 13));
}

TEST(GuessRecordTest, ADamagedByteIsNoticedWhereverItIs) {
  const std::string record = EncodeGuess(SomeGuess());
  for (size_t i = 0; i < record.size(); ++i) {
    std::string damaged = record;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    EXPECT_EQ(DecodeGuess(damaged), std::nullopt) << i;
  }
}

TEST(GuessRecordTest, APartAndMoreThanAllAreNoRecord) {
  const std::string record = EncodeGuess(SomeGuess());
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_EQ(DecodeGuess(record.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(DecodeGuess(record + '\0'), std::nullopt);
}

TEST(GuessRecordTest, SizesThatDoNotFitEachOtherAreNoRecord) {
  StepGuess guess = SomeGuess();
  guess.rows = 3;
  EXPECT_EQ(DecodeGuess(EncodeGuess(guess)), std::nullopt);
  guess = SomeGuess();
  guess.rows = 0;
  guess.probabilities.clear();
  EXPECT_EQ(DecodeGuess(EncodeGuess(guess)), std::nullopt);
}

}  // namespace
}  // namespace mixfeed
