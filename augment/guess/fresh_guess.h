#ifndef MIXFEED_AUGMENT_GUESS_FRESH_GUESS_H_
#define MIXFEED_AUGMENT_GUESS_FRESH_GUESS_H_

#include <cstdint>
#include <functional>
#include <span>

#include "augment/guess/journal.h"

namespace mixfeed {

// A step's guess that was just made, and what it was made of. Views into the maker's memory.
struct FreshGuess {
  int64_t step = 0;
  int views = 1;                              // K, of each model where several guess
  std::span<const float> view_probabilities;  // [views][rows][classes]
  std::span<const float> averaged;            // [rows][classes]: their mean, not sharpened
  const StepGuess& guess;                     // what the journal holds
};

// Sees a fresh guess once the journal holds it. Called in the thread that made it, maybe for two
// steps at once; must be quick.
using ObserveGuess = std::function<void(const FreshGuess&)>;

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_FRESH_GUESS_H_
