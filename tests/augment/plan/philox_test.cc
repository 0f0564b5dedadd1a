#include "augment/plan/philox.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace mixfeed {
namespace {

using Words = std::array<uint32_t, 4>;

Words Philox(const Words& counter, const std::array<uint32_t, 2>& key) {
  philox4x32_ctr_t c = {{counter[0], counter[1], counter[2], counter[3]}};
  philox4x32_key_t k = {{key[0], key[1]}};
  const philox4x32_ctr_t r = philox4x32_R(10, c, k);
  return {r.v[0], r.v[1], r.v[2], r.v[3]};
}

Words FirstWords(PhiloxStream stream) {
  Words words;
  for (uint32_t& word : words) word = stream.NextWord();
  return words;
}

// The lines "philox4x32 10" of the file kat_vectors in Random123's distribution.
TEST(PhiloxTest, EqualsThePublishedVectors) {
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxStreamTest, LaysOutKeyAndCounterAsDocumented) {
  const PhiloxStream stream(0x0123456789abcdef, Purpose::kUnlabelledView, 0xfedcba9876543210,
                            0xabcd, 0x42);
  EXPECT_EQ(FirstWords(stream),
            Philox({0x76543210, 0xfedcba98, 0x0642abcd, 0}, {0x89abcdef, 0x01234567}));
}

TEST(PhiloxStreamTest, BlocksFollowEachOther) {
  PhiloxStream stream(5, Purpose::kPairing, 6);
  for (uint32_t block = 0; block < 3; ++block) {
    const Words expected = Philox({6, 0, 0x07000000, block}, {5, 0});
    for (const uint32_t word : expected) EXPECT_EQ(stream.NextWord(), word);
  }
}

TEST(PhiloxStreamTest, PutsTheFirstOfTwoWordsHigh) {
  PhiloxStream words(5, Purpose::kLambda, 6);
  PhiloxStream pairs = words;
  for (int i = 0; i < 5; ++i) {
    const uint64_t high = words.NextWord();
    EXPECT_EQ(pairs.NextUint64(), high << 32 | words.NextWord());
  }
}

TEST(PhiloxStreamTest, EveryPartOfTheKeyGivesAnotherStream) {
  std::set<Words> streams;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
    for (int purpose = 1; purpose <= 8; ++purpose) {
      for (const uint64_t step : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
        for (const uint32_t row : {0u, 1u, 65535u}) {
          for (const uint32_t view : {0u, 1u}) {
            streams.insert(
                FirstWords(PhiloxStream(seed, static_cast<Purpose>(purpose), step, row, view)));
          }
        }
      }
    }
  }
  EXPECT_EQ(streams.size(), 3u * 8 * 3 * 3 * 2);
}

}  // namespace
}  // namespace mixfeed
