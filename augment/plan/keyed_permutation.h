#ifndef MIXFEED_AUGMENT_PLAN_KEYED_PERMUTATION_H_
#define MIXFEED_AUGMENT_PLAN_KEYED_PERMUTATION_H_

#include <array>
#include <cstdint>

#include "augment/plan/philox.h"

namespace mixfeed {

// A random permutation of 0..size-1 whose values are computed one by one, in constant time and with
// no table: an epoch's order. A Feistel network on pairs (x, y) of [0, width) x [0, height), the
// smallest such grid about a square that holds `size` (Black and Rogaway 2002): rounds add a keyed
// hash of one half to the other, modulo the half's range, x first. Values at or beyond `size` are
// permuted again until one is below it ("cycle walking"); since the grid has fewer than
// size + width cells, that is rare.
class KeyedPermutation {
 public:
  // 1 <= size <= 2^31 - 1. The round keys are the first words of `keys`.
  KeyedPermutation(uint32_t size, PhiloxStream keys);

  // index < size.
  uint32_t operator()(uint32_t index) const;

 private:
  struct RoundKey {
    uint64_t multiplier;
    uint64_t summand;
  };
  static constexpr int kMinRounds = 8;
  static constexpr int kMaxRounds = 40;

  // A number of rounds, even. What two indices have in common in x outlives two rounds with
  // probability 1 / height: as many as bring this below 2^-20, which small heights need more of.
  static int RoundsFor(uint32_t height);
  // A hash of `half` on 0..range-1.
  static uint32_t Hash(const RoundKey& key, uint32_t half, uint32_t range);
  // (half + summand) mod range.
  static uint32_t AddModulo(uint32_t half, uint32_t summand, uint32_t range);

  uint32_t size_;
  uint32_t width_;  // the square root of size, rounded up to an even number: with an odd one, odd
                    // permutations might never occur
  uint32_t height_;
  int rounds_;
  std::array<RoundKey, kMaxRounds> keys_;  // the first rounds_ are used
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_KEYED_PERMUTATION_H_
