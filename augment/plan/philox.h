#ifndef MIXFEED_AUGMENT_PLAN_PHILOX_H_
#define MIXFEED_AUGMENT_PLAN_PHILOX_H_

#include <Random123/philox.h>

#include <cstdint>

namespace mixfeed {

// What a draw is for. Streams of different purposes are independent. The numbers are part of the
// plan version: new purposes are appended, none is ever renumbered.
enum class Purpose : uint8_t {
  kLabelledOrder = 1,    // round keys of an epoch's order; step is the epoch
  kUnlabelledOrder = 2,  // likewise
  kLabelledSample = 3,   // sampling with replacement
  kUnlabelledSample = 4,
  kLabelledView = 5,  // row is the image's index in its group of B
  kUnlabelledView = 6,
  kPairing = 7,
  kLambda = 8,        // row is the row of the step; 0 for the whole batch
  kFirstFlip = 9,     // of alternating flips; step is the sample, row the view's purpose
  kMixed = 10,        // whether a row, pair or batch is mixed; row as in kLambda
  kShare = 11,        // which rows are mixed
  kCutMix = 12,       // whether it is a box; row as in kLambda
  kBox = 13,          // a box and its lambda; row as in kLambda
  kLayer = 14,        // which layer is mixed
  kPartner = 15,      // a partner from a pool, or of another class; row is the row of the step
  kPartnerView = 16,  // its view
  kWeights = 17,      // Dirichlet weights; row as in kLambda, view the stick
  // Of figures, which are no part of a plan; step is the draw.
  kFigureLambda = 40,
  kToyTraining = 41,
  kToyTruth = 42,
  kVicinityPartner = 43,
  kVicinityLambda = 44,
};

// Random words that are a pure function of (seed; purpose, step, row, view): Philox4x32-10 (Salmon
// et al. 2011) with
//   key      word 0, 1: seed, low word first
//   counter  word 0, 1: step, low word first
//            word 2:    purpose in bits 24..31, view in 16..23, row in 0..15
//            word 3:    block, counting from 0; a block is four words, taken in order
// Steps are below 2^64, rows below 2^16, views below 2^8. Cheap to make and to copy.
class PhiloxStream {
 public:
  PhiloxStream(uint64_t seed, Purpose purpose, uint64_t step, uint32_t row = 0, uint32_t view = 0)
      : key_{{Low(seed), High(seed)}},
        counter_{
            {Low(step), High(step), static_cast<uint32_t>(purpose) << 24 | view << 16 | row, 0}} {}

  uint32_t NextWord() {
    if (used_ == kWords) Refill();
    return block_.v[used_++];
  }

  // Two words, the first the high one.
  uint64_t NextUint64() {
    const uint64_t high = NextWord();
    return high << 32 | NextWord();
  }

 private:
  static constexpr uint32_t kWords = 4;
  static uint32_t Low(uint64_t value) { return static_cast<uint32_t>(value); }
  static uint32_t High(uint64_t value) { return static_cast<uint32_t>(value >> 32); }

  void Refill() {
    block_ = philox4x32_R(10, counter_, key_);
    ++counter_.v[3];
    used_ = 0;
  }

  philox4x32_key_t key_;
  philox4x32_ctr_t counter_;
  philox4x32_ctr_t block_ = {};
  uint32_t used_ = kWords;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PHILOX_H_
