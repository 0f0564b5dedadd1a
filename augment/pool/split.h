#ifndef MIXFEED_AUGMENT_POOL_SPLIT_H_
#define MIXFEED_AUGMENT_POOL_SPLIT_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

// Which training images are labelled, unlabelled and held out; indices into Dataset::train.
// The order is part of a split: streams are permutations of these lists.
struct Split {
  std::vector<int32_t> labelled = {};
  std::vector<int32_t> unlabelled = {};
  std::vector<int32_t> validation = {};

  friend bool operator==(const Split&, const Split&) = default;
};

enum class SplitRule : uint8_t {
  kMixMatch,  // the official greedy rule: class-proportional, equal to google-research/mixmatch
  kBalanced,  // exactly labelled / classes a class; classes must divide `labelled`
  kRandom,    // uniform over all training images
  kPerClass,  // per_class[c] of class c
  kAll,       // every training image is labelled, none unlabelled (supervised and mixup training)
  kLists,     // the given lists
};

// Largest seed of a split, NumPy's.
inline constexpr uint64_t kMaxSplitSeed = 0xFFFFFFFF;

struct SplitSpec {
  SplitRule rule = SplitRule::kMixMatch;
  // Seed of the split alone (the feed has its own), up to kMaxSplitSeed. Under kMixMatch 0
  // means "not shuffled", as in the official script.
  uint64_t seed = 1;
  int64_t labelled = 250;  // number of labelled images; not used by kPerClass, kAll, kLists
  // kPerClass: labelled images of each class, one entry a class.
  std::vector<int64_t> per_class = {};
  // Images held out. kMixMatch: the first of the unlabelled list, as in the official code; others:
  // drawn from the images that are not labelled. kAll: drawn from all, before the rest is labelled.
  int64_t validation = 0;
  // Put the labelled images into the unlabelled pool as well (FixMatch), at the end of its list.
  // kLists: those that its unlabelled list does not have yet.
  bool unlabelled_includes_labelled = false;
  Split lists = {};  // kLists

  friend bool operator==(const SplitSpec&, const SplitSpec&) = default;
};

// Splits images with `labels` (kNoLabel allowed: never labelled). Deterministic; shuffles are
// NumPy's legacy RandomState(seed).shuffle, so lists can be reproduced there
// (tests/augment/pool/goldens/make_split_goldens.py does it). Labelled and validation images are in
// ascending order, and so are unlabelled ones; only kMixMatch, whose unlabelled images and
// therefore validation images are in the official, class-interleaved order, and kLists differ.
// Errors: InvalidArgument names the field, the value and what is allowed (more labels than a class
// has, an empty class under a rule that needs every class, an index out of range or listed twice,
// labelled images that have no label).
absl::StatusOr<Split> MakeSplit(std::span<const int16_t> labels, int num_classes,
                                const SplitSpec& spec);

// Index lists as text, for people and other programs: lines "labelled 5 17 ...", one line a list,
// '#' starts a comment; a list that has no line is empty. Written whole or not at all (temporary
// file, then rename). Errors name the file, and the line where there is one: Internal (cannot be
// written), NotFound (cannot be read), InvalidArgument (anything else in it).
absl::Status WriteSplit(const std::string& path, const Split& split);
absl::StatusOr<Split> ReadSplit(const std::string& path);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_SPLIT_H_
