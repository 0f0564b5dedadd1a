#ifndef MIXFEED_TESTS_AUGMENT_RECIPE_REFERENCE_MIXMODE_H_
#define MIXFEED_TESTS_AUGMENT_RECIPE_REFERENCE_MIXMODE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "augment/recipe/recipe.h"

namespace mixfeed::testing {

// How many rows a MixMatch batch has: `labelled`, then `views` groups of `unlabelled` each.
struct GroupSizes {
  int labelled = 0;
  int unlabelled = 0;
  int views = 0;

  int rows() const { return labelled + views * unlabelled; }
};

// The mode that google-research/mixmatch calls `name` ("xxy.yxy"); fails the test for any other.
MixMode MixModeNamed(const std::string& name);

// Whether `partner`, a row's number for each row, could come out of `mode`: MixMode of
// google-research/mixmatch (libml/layers.py), restated. A row left alone is its own partner. kXxYx
// gives each group a permutation of the labelled rows, so it needs groups of one size. A failure
// names the row.
::testing::AssertionResult IsOutcomeOf(MixMode mode, const GroupSizes& sizes,
                                       std::span<const int32_t> partner);

// Which of the (views + 1) * batch rows stands at each place after interleave() of the same file:
// each group is cut into views + 1 slices of batch / (views + 1) rows, the last ones a row longer
// where that leaves a rest, and slice i of the first group changes places with slice i of group i.
std::vector<int32_t> InterleavedOrder(int batch, int views);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RECIPE_REFERENCE_MIXMODE_H_
