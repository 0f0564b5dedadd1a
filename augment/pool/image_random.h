#ifndef MIXFEED_AUGMENT_POOL_IMAGE_RANDOM_H_
#define MIXFEED_AUGMENT_POOL_IMAGE_RANDOM_H_

#include <cstdint>

namespace mixfeed {

// The random stream of one generated image: SplitMix64 (Steele, Lea, Flood 2014) keyed by (seed,
// image), so that images can be drawn in any order on any thread. std's distributions differ
// between standard libraries; these do not.
class ImageRandom {
 public:
  ImageRandom(uint64_t seed, uint64_t image) : state_(Mix(Mix(seed) + image)) {}

  uint64_t Bits() { return Mix(state_ += kStep); }
  // Uniform on [low, high).
  double Uniform(double low, double high) {
    return low + (high - low) * (static_cast<double>(Bits() >> 11) * 0x1p-53);
  }
  // Uniform on low..high, both included.
  int Int(int low, int high) {
    return low + static_cast<int>(Bits() % static_cast<uint64_t>(high - low + 1));
  }
  bool Chance(double probability) { return Uniform(0, 1) < probability; }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;

  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_IMAGE_RANDOM_H_
