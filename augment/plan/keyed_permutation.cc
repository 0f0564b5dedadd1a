#include "augment/plan/keyed_permutation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace mixfeed {
namespace {

// An odd 64-bit constant without structure (the golden ratio's fraction).
constexpr uint64_t kMixer = 0x9e3779b97f4a7c15;

// Smallest even w with w * w >= size.
uint32_t EvenRoot(uint32_t size) {
  const auto root = static_cast<uint32_t>(std::sqrt(static_cast<double>(size - 1))) + 1;
  return root + root % 2;
}

}  // namespace

KeyedPermutation::KeyedPermutation(uint32_t size, PhiloxStream keys)
    : size_(size),
      width_(EvenRoot(size)),
      height_((size + width_ - 1) / width_),
      rounds_(RoundsFor(height_)) {
  assert(size >= 1 && size <= std::numeric_limits<int32_t>::max());
  for (int round = 0; round < rounds_; ++round) {
    RoundKey& key = keys_[static_cast<size_t>(round)];
    key.multiplier = keys.NextUint64() | 1;
    key.summand = keys.NextUint64();
  }
}

int KeyedPermutation::RoundsFor(uint32_t height) {
  constexpr double kCommon = 0x1p-20;
  int rounds = 0;
  for (double common = 1; common > kCommon && rounds < kMaxRounds; common /= height) rounds += 2;
  return std::max(rounds, kMinRounds);
}

uint32_t KeyedPermutation::Hash(const RoundKey& key, uint32_t half, uint32_t range) {
  uint64_t mixed = half * key.multiplier + key.summand;
  mixed = (mixed ^ mixed >> 32) * kMixer;
  return static_cast<uint32_t>((mixed >> 32) * range >> 32);
}

uint32_t KeyedPermutation::AddModulo(uint32_t half, uint32_t summand, uint32_t range) {
  const uint32_t sum = half + summand;
  return sum >= range ? sum - range : sum;
}

uint32_t KeyedPermutation::operator()(uint32_t index) const {
  assert(index < size_);
  uint32_t x = index % width_;
  uint32_t y = index / width_;
  uint32_t value;
  do {
    for (int round = 0; round < rounds_; round += 2) {
      x = AddModulo(x, Hash(keys_[static_cast<size_t>(round)], y, width_), width_);
      y = AddModulo(y, Hash(keys_[static_cast<size_t>(round) + 1], x, height_), height_);
    }
    value = y * width_ + x;
  } while (value >= size_);
  return value;
}

}  // namespace mixfeed
