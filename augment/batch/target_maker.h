#ifndef MIXFEED_AUGMENT_BATCH_TARGET_MAKER_H_
#define MIXFEED_AUGMENT_BATCH_TARGET_MAKER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "augment/batch/batch_format.h"
#include "augment/guess/journal.h"
#include "augment/plan/plan.h"
#include "augment/pool/dataset.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Makes the targets of one step's rows. Before mixing: the one-hot label of rows that may show one
// (labelled, validation, test), smoothed if the recipe says so; the step's guess for unlabelled
// rows of feeds that guess (one for all views of an image); 1 / classes each where the label is
// hidden (an ordered unlabelled pool) or not known.
class TargetMaker {
 public:
  // All but the dataset must outlive the maker; `guess` is read by recipes that guess.
  TargetMaker(const Recipe& recipe, const Dataset& dataset, const Plan& plan,
              const StepGuess& guess);

  // Writes row `row`'s target: `out` has form.TargetColumns(classes) numbers.
  void Write(TargetForm form, int32_t row, std::span<float> out) const;

  // The guess's row that is `row`'s target before mixing; -1 where it is none.
  int32_t GuessOf(int32_t row) const;

  // Row `row`'s target before mixing, [classes]: zeros where it is a guess, which is not read.
  void WriteUnguessed(int32_t row, std::span<float> out) const;

 private:
  void WriteSoft(int32_t row, std::span<float> out) const;
  void WritePair(int32_t row, std::span<float> out) const;
  void Source(int32_t row, std::span<float> target) const;
  int16_t LabelOf(int32_t row) const { return labels_[static_cast<size_t>(row)]; }

  const Recipe& recipe_;
  const Plan& plan_;
  const StepGuess& guess_;
  // By row, the class of its image, or kNoLabel where it is hidden or not known.
  const std::vector<int16_t> labels_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BATCH_TARGET_MAKER_H_
