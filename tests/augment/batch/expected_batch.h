#ifndef MIXFEED_TESTS_AUGMENT_BATCH_EXPECTED_BATCH_H_
#define MIXFEED_TESTS_AUGMENT_BATCH_EXPECTED_BATCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "augment/plan/plan.h"
#include "augment/pool/dataset.h"
#include "augment/recipe/recipe.h"
#include "augment/render/pixel_format.h"

namespace mixfeed::testing {

// What a batch of `plan` must hold, in double precision and by plain loops.
struct ExpectedBatch {
  const Dataset& dataset;
  const Recipe& recipe;
  const Plan& plan;
  std::vector<float> guess;  // [unlabelled_rows][classes], of recipes that guess

  // The pixels of the step's rows `row_index`, [rows][C][H][W], by the naive renderer.
  std::vector<double> Pixels(std::span<const int32_t> row_index,
                             const Normalisation& normalisation) const;

  // The soft target of the step's row `row`, [classes]: the weighted sum of the targets of all that
  // the row is mixed of.
  std::vector<double> Target(int32_t row) const;

 private:
  std::vector<double> SourceTarget(int32_t row) const;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_BATCH_EXPECTED_BATCH_H_
