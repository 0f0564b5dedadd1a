#ifndef MIXFEED_AUGMENT_RECIPE_RECIPE_H_
#define MIXFEED_AUGMENT_RECIPE_RECIPE_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "augment/pool/pool.h"

namespace mixfeed {

// Limits of a recipe's numbers, both ends allowed. The fields' own ranges stand in fields.h.
inline constexpr int kMaxViews = 8;
inline constexpr double kMinTemperature = 0.01;
inline constexpr double kMaxTemperature = 100.0;
inline constexpr double kMinBetaShape = 0.01;
inline constexpr double kMaxBetaShape = 101.0;  // Beta(a + 1, a) for a up to 100
inline constexpr int kMaxUnlabelledRatio = 16;
inline constexpr int kMaxDelay = 1'000'000;  // updates
inline constexpr int kMaxBatchesPerUpdate = 4096;
inline constexpr int kMaxSources = 8;
inline constexpr int kMaxLayer = 63;
inline constexpr size_t kMaxLayers = 16;
inline constexpr int kMaxNeighbours = 1000;
inline constexpr int kMaxCutout = 256;

// Which rows a batch of B has.
enum class RowSource : uint8_t {
  kLabelled,  // B labelled rows
  // B labelled rows, then K groups of B * unlabelled_ratio unlabelled ones, K-major.
  kLabelledAndUnlabelled,
  // B rows of one pool, unaugmented and unmixed, in the order of the dataset; one pass, so the
  // last batch may be shorter.
  kOrdered,
};

// Which pool a row's sample comes from.
enum class PoolId : uint8_t { kLabelled, kUnlabelled, kValidation, kTest };

// How a stream chooses its samples.
enum class Sampling : uint8_t {
  kEpochs,           // a new keyed permutation every epoch, without end; a batch may span two
  kWithReplacement,  // independent uniform draws
  kEpochsDropLast,  // as kEpochs, but an epoch ends with its last whole batch (PyTorch's drop_last)
  kTiled,           // as kEpochs, and a batch may be larger than the pool: samples repeat in it
};

enum class FlipRule : uint8_t {
  kRandom,       // each view by itself, with flip_probability
  kAlternating,  // at random in a sample's first epoch, from then on every other epoch (airbench)
};

enum class CropRange : uint8_t {
  kAll,          // offsets 0..2*pad
  kWithoutLast,  // offsets 0..2*pad-1, as YU1ut's MixMatch draws them
};

enum class ViewOrder : uint8_t { kFlipFirst, kCropFirst };

// Rotation, zoom, perspective and lighting as fastai v1's get_transforms draws them, resampled once
// (bilinear, borders reflected). Off while its numbers are 0 and max_zoom is 1.
struct WarpSpec {
  double probability = 0.75;           // of rotation, zoom and perspective, each by itself
  double max_rotation = 0;             // degrees, uniform on -max..max
  double max_zoom = 1;                 // uniform on 1..max, about a uniform point
  double max_perspective = 0;          // of half a side: each corner pair moves by -max..max
  double lighting_probability = 0.75;  // of brightness and contrast, each by itself
  double max_lighting = 0;  // brightness U(.5 - max/2, .5 + max/2), contrast log-uniform on
                            // 1 - max .. 1 / (1 - max), both on logits

  bool resamples() const { return max_rotation > 0 || max_zoom > 1 || max_perspective > 0; }
  bool tones() const { return max_lighting > 0; }
  friend bool operator==(const WarpSpec&, const WarpSpec&) = default;
};

enum class CutoutPlace : uint8_t {
  kInside,   // the whole square in the image, uniform (airbench, ffcv)
  kClipped,  // its centre uniform over the image, what is outside cut off (DeVries and Taylor)
};

enum class CutoutFill : uint8_t {
  kLevels,          // `fill`
  kNormalisedZero,  // 0 after the consumer's normalisation
};

// A filled square in every view.
struct CutoutSpec {
  int size = 0;  // pixels a side; 0: none
  CutoutPlace place = CutoutPlace::kInside;
  CutoutFill fill_with = CutoutFill::kNormalisedZero;
  std::array<int, 3> fill = {0, 0, 0};  // red, green, blue levels of 0..255; grey takes the first

  friend bool operator==(const CutoutSpec&, const CutoutSpec&) = default;
};

// The random view of an image: flip and crop, then warp, lighting and cutout.
struct ViewSpec {
  double flip_probability = 0.5;  // 0..1
  int pad = 4;                    // pixels a side, 0..kMaxPad
  PadMode pad_mode = PadMode::kReflect;
  std::array<int, 3> pad_fill = {0, 0, 0};  // levels, for PadMode::kConstant
  FlipRule flip_rule = FlipRule::kRandom;
  CropRange crop_range = CropRange::kAll;
  ViewOrder order = ViewOrder::kFlipFirst;  // makes a difference with kWithoutLast only
  WarpSpec warp = {};
  CutoutSpec cutout = {};

  friend bool operator==(const ViewSpec&, const ViewSpec&) = default;
};

// Which of a model's weights guess a step, while a trainer pushes them. update(step) =
// floor(step / batches_per_update) is the trainer's update count when it trains on the step.
enum class WeightsPolicy : uint8_t {
  kLockstep,  // exactly those of update(step): the published algorithm
  kDelayed,   // exactly those of update(step) - delay, and before that the initial ones
  kNewest,    // the newest when the step is first asked for
  kPinned,    // those of one version
};

inline constexpr size_t kMaxGuessModels = 8;

// How pseudo-labels of unlabelled rows are made (MixMatch, Berthelot et al. 2019, section 3.2).
struct GuessSpec {
  // Registered name; empty: the server's only model. Several names, separated by commas: the mean
  // of their guesses, before it is sharpened; different ones, at most kMaxGuessModels.
  std::string model;
  double temperature = 0.5;  // T of sharpening p^(1/T) / sum p^(1/T); 0.01..100
  // Normalise with the statistics of the step's own unlabelled rows (one pass a view index), as the
  // official code does; off: with the model's running statistics. Neither changes the model.
  bool batch_statistics = true;
  WeightsPolicy policy = WeightsPolicy::kLockstep;
  int delay = 1;    // updates, 1..kMaxDelay
  int version = 0;  // of the model, under kPinned
  // The average of the weights that were pushed so far, in place of the weights themselves.
  bool ema = false;
  // Of a trainer that accumulates gradients, or whose processes take a batch
  // each; 1..kMaxBatchesPerUpdate.
  int batches_per_update = 1;

  // The names in `model`; none where it is empty.
  std::vector<std::string> models() const;

  friend bool operator==(const GuessSpec&, const GuessSpec&) = default;
};

// What is drawn once for what.
enum class DrawScope : uint8_t {
  kPerRow,
  kPerBatch,
  kPerPair,  // rows i and R-1-i share a draw; needs Pairing::kReversed (timm's "pair")
};

// Which row a row is mixed with.
enum class Pairing : uint8_t {
  kPermutation,  // one uniform permutation of all the batch's rows; fixed points stay
  kReversed,     // row i with row R-1-i
  kRolled,       // row i with row i-1, row 0 with the last
  kHalves,       // row i of the first half with row R/2 + i, and the other way round
};

// Which rows of a recipe with unlabelled rows are mixed, and with which: before the dot how
// labelled rows (x) are, behind it how unlabelled ones (y) are; a part "xxy" means x with a
// permutation of x and y. google-research/mixmatch, libml/layers.py, MixMode.
enum class MixMode : uint8_t {
  kXxyYxy,  // everything with one permutation of everything: MixMatch
  kXxYy,    // x with x, y with y
  kXxYxy,   // x with x, y with a second permutation of everything
  kXxYx,    // x with x, each group of y with its own permutation of x
  kXx,      // x with x only
  kYy,      // y with y only
  kXxy,     // x with everything, y stays
  kYxy,     // y with everything, x stays
  kNone,    // nothing
};

enum class LambdaLaw : uint8_t {
  kBeta,     // Beta(alpha, beta)
  kUniform,  // uniform on lambda_low..lambda_high; fixed where they are equal
  // Beta(alpha + 1, alpha), the size-biased form of Beta(alpha, alpha): label-preserving mixup.
  kSizeBiasedBeta,
};

enum class TargetRule : uint8_t {
  kMixed,  // as the pixels
  kOwn,    // the row's own: inputs only, label-preserving
};

enum class PartnerSource : uint8_t {
  kBatch,           // a row of the batch, by `pairing`
  kLabelledPool,    // a further image of the pool, with a view of its own
  kUnlabelledPool,  // likewise; its label is not used, so targets must be the row's own
};

enum class PartnerClass : uint8_t {
  kAny,
  kSame,   // the row's own class; itself where the class has no other image
  kOther,  // any but the row's own class; itself where there is none
};

// Which images may be a row's partner.
struct PartnerSpec {
  PartnerSource source = PartnerSource::kBatch;
  // In a batch: kSame permutes the rows of each class, kOther draws among the others. Of a pool:
  // uniform over what is allowed.
  PartnerClass classes = PartnerClass::kAny;
  // k: uniform among the k nearest allowed images of the labelled pool, by Euclidean distance, the
  // image itself left out. 0: no restriction. Needs kLabelledPool.
  int neighbours = 0;
  std::string features = {};  // the registered model in whose features distance is; empty: pixels

  friend bool operator==(const PartnerSpec&, const PartnerSpec&) = default;
};

enum class BoxRule : uint8_t {
  // A centre uniform over the image's pixels, sides int(side * sqrt(1 - lambda)) // 2 to each side,
  // cut off at the border (Yun et al. 2019).
  kClipped,
  kMinMax,  // sides uniform on min_side..max_side of the image's, wholly inside it (timm)
};

// CutMix: a box of the partner in the row, instead of a blend.
struct CutMixSpec {
  double probability = 0;  // that a draw is CutMix and no blend; 1: always (timm's switch_prob)
  double alpha = 1;        // lambda ~ Beta(alpha, beta) for the box's size
  double beta = 1;
  BoxRule box = BoxRule::kClipped;
  double min_side = 0.2;  // kMinMax: shares of the image's side, 0..1
  double max_side = 0.8;
  // lambda <- 1 - the box's real area; off: the drawn one. kMinMax always takes the area.
  bool correct_lambda = true;

  friend bool operator==(const CutMixSpec&, const CutMixSpec&) = default;
};

// row' = lambda * row + (1 - lambda) * partner, for pixels and targets alike.
struct MixSpec {
  bool enabled = false;
  // lambda ~ Beta(alpha, beta); each 0.01..101. With more than two sources the weights are
  // Dirichlet(alpha, ..., alpha).
  double alpha = 0.75;
  double beta = 0.75;
  DrawScope lambda_scope = DrawScope::kPerRow;  // of lambda, box and the choice between them
  bool lambda_floor = true;                     // lambda <- max(lambda, 1 - lambda)
  Pairing pairing = Pairing::kPermutation;
  LambdaLaw lambda_law = LambdaLaw::kBeta;
  double lambda_low = 0;  // kUniform
  double lambda_high = 1;
  double probability = 1;  // that a batch, row or pair is mixed at all
  DrawScope probability_scope = DrawScope::kPerBatch;
  double share = 1;  // of the rows sent, drawn anew each step, that are mixed: round(share * rows)
  MixMode mode = MixMode::kXxyYxy;  // with unlabelled rows only
  TargetRule targets = TargetRule::kMixed;
  // s: one-hot labels become 1 - s + s/C and s/C before mixing. Guesses stay.
  double label_smoothing = 0;
  int sources = 2;  // images a row is mixed of, 2..8; each further one by a permutation of its own
  // Only the first half of the rows is sent; the others are partners (timm's "half").
  bool half = false;
  // Manifold mixup: one of these layers is drawn a step. Layer 0 is the input and is mixed here;
  // for the others the rows come unmixed, with partner and lambda for the trainer's hidden layer.
  // Empty: the input.
  std::vector<int> layers = {};
  PartnerSpec partner = {};
  CutMixSpec cutmix = {};

  friend bool operator==(const MixSpec&, const MixSpec&) = default;
};

enum class RampUnit : uint8_t { kNone, kImages, kSteps };

// lambda_u of the batch header: what the trainer weighs its unlabelled loss with.
//   value * clip(progress / ramp_length, 0, 1), progress counted in labelled images or in steps.
struct UnlabelledWeight {
  double value = 75;
  RampUnit ramp = RampUnit::kImages;
  double ramp_length = 1 << 20;  // MixMatch: 1024 kimg, 16,384 steps of 64

  friend bool operator==(const UnlabelledWeight&, const UnlabelledWeight&) = default;
};

// How batches are made. A preset is a named value of this struct (presets.h); fields.h lists every
// field with its meaning and range.
//
// What is to come has its place: strong views (FixMatch, ReMixMatch) are a second ViewSpec beside
// `view`; their operation lists become ViewEffects, which a plan holds one of a view; what a recipe
// carries over steps (ReMixMatch's running class distribution, CTAugment's rates) is recorded with
// the step's guess in the journal, since a plan may not depend on the steps before.
struct Recipe {
  std::string preset;  // the name it was made from, empty for none; documentation only
  RowSource rows = RowSource::kLabelledAndUnlabelled;
  PoolId ordered_pool = PoolId::kTest;  // the pool of kOrdered; unused otherwise
  int views = 2;                        // K, views of every unlabelled image, 1..8; 1 otherwise
  int unlabelled_ratio = 1;             // unlabelled images a labelled one (mu), 1..16
  ViewSpec view;
  Sampling labelled_sampling = Sampling::kEpochs;
  Sampling unlabelled_sampling = Sampling::kEpochs;
  GuessSpec guess;  // used exactly when rows is kLabelledAndUnlabelled
  MixSpec mix;
  // Rows are sent in the order of MixMatch's interleave, so that each of the K + 1 groups is a like
  // sample of all (interleave_offsets in libml/layers.py). An involution on the rows sent.
  bool interleave = false;
  UnlabelledWeight weight;

  bool guesses() const { return rows == RowSource::kLabelledAndUnlabelled; }
  // Whether batches are made of unlabelled images too.
  bool reads_unlabelled() const {
    return guesses() || (draws_partners() && mix.partner.source == PartnerSource::kUnlabelledPool);
  }
  // Whether partners are images of a pool instead of rows of the batch.
  bool draws_partners() const { return mix.enabled && mix.partner.source != PartnerSource::kBatch; }
  // The preset's name is left out: two spellings of one recipe are equal.
  friend bool operator==(const Recipe& a, const Recipe& b);
};

// InvalidArgument with the field, its value and what is allowed. Numbers and enums are checked even
// where the recipe does not use them. kOrdered refuses mixing, flips and padding.
absl::Status ValidateRecipe(const Recipe& recipe);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_RECIPE_H_
