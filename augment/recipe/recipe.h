#ifndef MIXFEED_AUGMENT_RECIPE_RECIPE_H_
#define MIXFEED_AUGMENT_RECIPE_RECIPE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "augment/pool/pool.h"

namespace mixfeed {

// Limits of a recipe's numbers, both ends allowed.
inline constexpr int kMaxViews = 8;
inline constexpr double kMinTemperature = 0.01;
inline constexpr double kMaxTemperature = 100.0;
inline constexpr double kMinBetaShape = 0.01;
inline constexpr double kMaxBetaShape = 101.0;  // Beta(a + 1, a) for a up to 100

// Which rows a batch of B has.
enum class RowSource : uint8_t {
  kLabelled,               // B labelled rows
  kLabelledAndUnlabelled,  // B labelled rows, then K groups of B unlabelled ones, K-major
  // B rows of one pool, unaugmented and unmixed, in the order of the dataset; one pass, so the
  // last batch may be shorter.
  kOrdered,
};

// Which pool a row's sample comes from.
enum class PoolId : uint8_t { kLabelled, kUnlabelled, kValidation, kTest };

// How a stream chooses its samples.
enum class Sampling : uint8_t {
  kEpochs,           // a new keyed permutation every epoch, without end
  kWithReplacement,  // independent uniform draws
};

// The random view of an image: flip, then pad and crop, as MixMatch's weak augmentation.
struct ViewSpec {
  double flip_probability = 0.5;  // 0..1
  int pad = 4;                    // pixels a side, 0..kMaxPad; crop offsets are uniform on 0..2*pad
  PadMode pad_mode = PadMode::kReflect;

  friend bool operator==(const ViewSpec&, const ViewSpec&) = default;
};

// How pseudo-labels of unlabelled rows are made (MixMatch, Berthelot et al. 2019, section 3.2).
struct GuessSpec {
  std::string model;         // registered name; empty: the server's only model
  double temperature = 0.5;  // T of sharpening p^(1/T) / sum p^(1/T); 0.01..100
  // Normalise with the statistics of the step's own unlabelled rows (one pass a view index), as the
  // official code does; off: with the model's running statistics. Neither changes the model.
  bool batch_statistics = true;

  friend bool operator==(const GuessSpec&, const GuessSpec&) = default;
};

enum class LambdaScope : uint8_t { kPerRow, kPerBatch };

// Which row a row is mixed with.
enum class Pairing : uint8_t {
  kPermutation,  // one uniform permutation of all the batch's rows; fixed points stay
  kReversed,     // row i with row R-1-i
  kRolled,       // row i with row i-1, row 0 with the last
};

// row' = lambda * row + (1 - lambda) * partner, for pixels and targets alike.
struct MixSpec {
  bool enabled = false;
  // lambda ~ Beta(alpha, beta); each 0.01..101.
  double alpha = 0.75;
  double beta = 0.75;
  LambdaScope lambda_scope = LambdaScope::kPerRow;
  bool lambda_floor = true;  // lambda <- max(lambda, 1 - lambda)
  Pairing pairing = Pairing::kPermutation;

  friend bool operator==(const MixSpec&, const MixSpec&) = default;
};

// How batches are made. A preset is a named value of this struct (presets.h).
struct Recipe {
  std::string preset;  // the name it was made from, empty for none; documentation only
  RowSource rows = RowSource::kLabelledAndUnlabelled;
  PoolId ordered_pool = PoolId::kTest;  // the pool of kOrdered; unused otherwise
  int views = 2;                        // K, views of every unlabelled image, 1..8; 1 otherwise
  ViewSpec view;
  Sampling labelled_sampling = Sampling::kEpochs;
  Sampling unlabelled_sampling = Sampling::kEpochs;
  GuessSpec guess;  // used exactly when rows is kLabelledAndUnlabelled
  MixSpec mix;

  bool guesses() const { return rows == RowSource::kLabelledAndUnlabelled; }
  // The preset's name is left out: two spellings of one recipe are equal.
  friend bool operator==(const Recipe& a, const Recipe& b);
};

// InvalidArgument with the field, its value and what is allowed. Numbers and enums are checked even
// where the recipe does not use them. kOrdered refuses mixing, flips and padding.
absl::Status ValidateRecipe(const Recipe& recipe);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_RECIPE_H_
