#ifndef MIXFEED_AUGMENT_RECIPE_FEED_SPEC_H_
#define MIXFEED_AUGMENT_RECIPE_FEED_SPEC_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "augment/pool/split.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Version of the mapping (spec, step) -> plan. It changes when the same spec would give other
// plans.
inline constexpr uint32_t kPlanVersion = 1;

inline constexpr int kMaxBatch = 4096;
inline constexpr int kMaxRows = 1 << 16;  // views of a step, those that others are mixed with too

// Everything that decides a feed's batches, but for the guesses. Pixel type, layout and
// normalisation are not here: they are the consumer's choice (render/pixel_format.h).
struct FeedSpec {
  std::string dataset;  // name under which the server holds it
  SplitSpec split;
  Recipe recipe;
  uint64_t seed = 0;  // of everything random but the split
  int batch = 64;     // B, labelled images a step, 1..kMaxBatch
  uint32_t plan_version = kPlanVersion;

  // Rows of a full batch: labelled ones, and unlabelled ones of each of the K views.
  int labelled_rows() const { return recipe.mix.enabled && recipe.mix.half ? batch / 2 : batch; }
  int unlabelled_rows() const { return recipe.guesses() ? batch * recipe.unlabelled_ratio : 0; }
  int rows() const { return labelled_rows() + recipe.views * unlabelled_rows(); }
};

// InvalidArgument with the field, its value and what is allowed. Checks what can be checked without
// the dataset.
absl::Status ValidateFeedSpec(const FeedSpec& spec);

// One line a field, in a fixed order and spelling: specs with one text give the same batches. Left
// out are the preset's name and every field that the recipe or the split's rule does not read, so
// that spelling them differently does not make another feed. Doubles are written to round-trip
// exactly; index lists as a hash of them, in which their order counts only where batches depend on
// it (that of labelled lists, unless the feed is ordered). What feed ids are hashes of.
std::string CanonicalText(const FeedSpec& spec);

// The feed's id: 32 lower-case hex digits of XXH3-128 over CanonicalText, the dataset's
// fingerprint, the run's name and, unless 0, the fingerprint of the model whose features partners
// depend on.
std::string FeedId(const FeedSpec& spec, uint64_t dataset_fingerprint, const std::string& run,
                   uint64_t features_fingerprint = 0);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_FEED_SPEC_H_
