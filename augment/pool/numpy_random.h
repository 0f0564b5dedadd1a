#ifndef MIXFEED_AUGMENT_POOL_NUMPY_RANDOM_H_
#define MIXFEED_AUGMENT_POOL_NUMPY_RANDOM_H_

#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace mixfeed {

// NumPy's legacy generator, numpy.random.RandomState(seed) for an int seed, as far as splits need
// it. NumPy freezes its streams (NEP 19), so lists made here can be made there too.
class NumpyRandom {
 public:
  // NumPy seeds MT19937 by init_genrand, which is what std::mt19937 is defined to do.
  explicit NumpyRandom(uint32_t seed) : generator_(seed) {}

  // Uniform on 0..max: 32 random bits, masked to the width of `max`, drawn again while above it.
  uint32_t Interval(uint32_t max);

  // numpy.random.shuffle: Fisher-Yates from the last element down.
  template <typename T>
  void Shuffle(std::span<T> values) {
    for (size_t i = values.size(); i-- > 1;) {
      std::swap(values[i], values[Interval(static_cast<uint32_t>(i))]);
    }
  }

 private:
  std::mt19937 generator_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_NUMPY_RANDOM_H_
