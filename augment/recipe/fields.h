#ifndef MIXFEED_AUGMENT_RECIPE_FIELDS_H_
#define MIXFEED_AUGMENT_RECIPE_FIELDS_H_

#include <array>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "augment/recipe/enum_names.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// A field of a recipe, for all that goes through every one of them: validation, the canonical text,
// the wire, `mixfeed recipes`.
struct RecipeField {
  const char* path;     // below "recipe", the same as the proto's: "mix.cutmix.alpha"
  const char* meaning;  // one line for people, with unit
  // Whether batches depend on it, given the others; one that is not read is no part of a feed's id.
  bool (*read)(const Recipe& recipe);
  // Range of numbers (of each in a list), both ends allowed. Not used for other types.
  double low = 0;
  double high = 1;
  // Came after feeds were first given ids: left out of the canonical text while it has the value
  // of Recipe{}, which is what recipes did before.
  bool later = true;
};

namespace recipe_fields {

inline bool Always(const Recipe&) { return true; }
inline bool Ordered(const Recipe& r) { return r.rows == RowSource::kOrdered; }
inline bool Drawn(const Recipe& r) { return !Ordered(r); }
inline bool Guesses(const Recipe& r) { return r.guesses(); }
inline bool Pads(const Recipe& r) { return Drawn(r) && r.view.pad > 0; }
inline bool PadsConstant(const Recipe& r) {
  return Pads(r) && r.view.pad_mode == PadMode::kConstant;
}
inline bool OrderMatters(const Recipe& r) {
  return Pads(r) && r.view.crop_range == CropRange::kWithoutLast;
}
inline bool Warps(const Recipe& r) { return Drawn(r) && r.view.warp.resamples(); }
inline bool Tones(const Recipe& r) { return Drawn(r) && r.view.warp.tones(); }
inline bool Cuts(const Recipe& r) { return Drawn(r) && r.view.cutout.size > 0; }
inline bool CutsLevels(const Recipe& r) {
  return Cuts(r) && r.view.cutout.fill_with == CutoutFill::kLevels;
}
inline bool Mixes(const Recipe& r) { return Drawn(r) && r.mix.enabled; }
inline bool MultiWay(const Recipe& r) { return Mixes(r) && r.mix.sources > 2; }
inline bool TwoWay(const Recipe& r) { return Mixes(r) && r.mix.sources == 2; }
inline bool Blends(const Recipe& r) { return TwoWay(r) && r.mix.cutmix.probability < 1; }
inline bool DrawsBeta(const Recipe& r) {
  return MultiWay(r) || (Blends(r) && r.mix.lambda_law != LambdaLaw::kUniform);
}
inline bool ReadsBeta(const Recipe& r) { return Blends(r) && r.mix.lambda_law == LambdaLaw::kBeta; }
inline bool Uniform(const Recipe& r) {
  return Blends(r) && r.mix.lambda_law == LambdaLaw::kUniform;
}
inline bool Boxes(const Recipe& r) { return TwoWay(r) && r.mix.cutmix.probability > 0; }
inline bool BetaBoxes(const Recipe& r) { return Boxes(r) && r.mix.cutmix.box == BoxRule::kClipped; }
inline bool MinMaxBoxes(const Recipe& r) {
  return Boxes(r) && r.mix.cutmix.box == BoxRule::kMinMax;
}
inline bool MixesByChance(const Recipe& r) { return Mixes(r) && r.mix.probability < 1; }
inline bool PairsRows(const Recipe& r) {
  return Mixes(r) && r.mix.partner.source == PartnerSource::kBatch;
}
inline bool MixesGroups(const Recipe& r) { return Mixes(r) && r.guesses(); }
inline bool HasNeighbours(const Recipe& r) { return Mixes(r) && r.mix.partner.neighbours > 0; }
inline bool Delayed(const Recipe& r) {
  return r.guesses() && r.guess.policy == WeightsPolicy::kDelayed;
}
inline bool Pinned(const Recipe& r) {
  return r.guesses() && r.guess.policy == WeightsPolicy::kPinned;
}
inline bool Ramps(const Recipe& r) { return r.guesses() && r.weight.ramp != RampUnit::kNone; }

inline constexpr double kNoLimit = 1e15;
inline constexpr int kMaxVersion = std::numeric_limits<int>::max() - 1;

template <typename ViewLike, typename Visitor>
void VisitView(ViewLike& view, Visitor&& visit) {
  visit({"view.flip_probability", "that a view is mirrored left to right", Drawn, 0, 1, false},
        view.flip_probability);
  visit({"view.pad", "pixels added to each side before cropping", Drawn, 0, kMaxPad, false},
        view.pad);
  visit({"view.pad_mode", "what the border is filled with", Pads, 0, 0, false}, view.pad_mode);
  visit({"view.pad_fill", "its colour: red, green, blue levels", PadsConstant, 0, 255},
        view.pad_fill);
  visit({"view.flip_rule", "random, or alternating from epoch to epoch", Drawn}, view.flip_rule);
  visit({"view.crop_range", "crop offsets 0..2 pad, or without the last", Pads}, view.crop_range);
  visit({"view.order", "of flip and crop", OrderMatters}, view.order);
  visit({"view.warp.probability", "of rotation, zoom and perspective, each by itself", Warps, 0, 1},
        view.warp.probability);
  visit({"view.warp.max_rotation", "degrees to either side", Drawn, 0, 180},
        view.warp.max_rotation);
  visit({"view.warp.max_zoom", "largest magnification", Drawn, 1, 4}, view.warp.max_zoom);
  visit({"view.warp.max_perspective", "largest shift of a corner, in half sides", Drawn, 0, 0.4},
        view.warp.max_perspective);
  visit(
      {"view.warp.lighting_probability", "of brightness and contrast, each by itself", Tones, 0, 1},
      view.warp.lighting_probability);
  visit({"view.warp.max_lighting", "largest change of brightness and contrast", Drawn, 0, 0.9},
        view.warp.max_lighting);
  visit({"view.cutout.size", "side of the filled square in pixels; 0: none", Drawn, 0, kMaxCutout},
        view.cutout.size);
  visit({"view.cutout.place", "wholly inside, or its centre inside and clipped", Cuts},
        view.cutout.place);
  visit({"view.cutout.fill_with", "levels, or zero after normalisation", Cuts},
        view.cutout.fill_with);
  visit({"view.cutout.fill", "the levels: red, green, blue", CutsLevels, 0, 255}, view.cutout.fill);
}

template <typename MixLike, typename Visitor>
void VisitCutMix(MixLike& mix, Visitor&& visit) {
  visit({"mix.cutmix.probability", "that a draw pastes a box instead of blending", TwoWay, 0, 1},
        mix.cutmix.probability);
  visit({"mix.cutmix.alpha", "lambda of a box ~ Beta(alpha, beta)", BetaBoxes, kMinBetaShape,
         kMaxBetaShape},
        mix.cutmix.alpha);
  visit({"mix.cutmix.beta", "of that Beta", BetaBoxes, kMinBetaShape, kMaxBetaShape},
        mix.cutmix.beta);
  visit({"mix.cutmix.box", "clipped at the border, or inside with sides of min..max", Boxes},
        mix.cutmix.box);
  visit({"mix.cutmix.min_side", "smallest side, as a share of the image's", MinMaxBoxes, 0, 1},
        mix.cutmix.min_side);
  visit({"mix.cutmix.max_side", "largest side, as a share of the image's", MinMaxBoxes, 0, 1},
        mix.cutmix.max_side);
  visit({"mix.cutmix.correct_lambda", "lambda is 1 - the box's real area", BetaBoxes},
        mix.cutmix.correct_lambda);
}

template <typename MixLike, typename Visitor>
void VisitMix(MixLike& mix, Visitor&& visit) {
  visit({"mix.enabled", "whether rows are mixed at all", Drawn, 0, 0, false}, mix.enabled);
  visit({"mix.alpha", "lambda ~ Beta(alpha, beta); Dirichlet(alpha, ...) of more than two",
         DrawsBeta, kMinBetaShape, kMaxBetaShape, false},
        mix.alpha);
  visit({"mix.beta", "of that Beta", ReadsBeta, kMinBetaShape, kMaxBetaShape, false}, mix.beta);
  visit({"mix.lambda_scope", "one draw a row, a batch or a pair", Mixes, 0, 0, false},
        mix.lambda_scope);
  visit({"mix.lambda_floor", "lambda becomes max(lambda, 1 - lambda)", Blends, 0, 0, false},
        mix.lambda_floor);
  visit({"mix.pairing", "which row of the batch is the partner", PairsRows, 0, 0, false},
        mix.pairing);
  visit({"mix.lambda_law", "the distribution of lambda", Blends}, mix.lambda_law);
  visit({"mix.lambda_low", "lower end of the uniform law", Uniform, 0, 1}, mix.lambda_low);
  visit({"mix.lambda_high", "its upper end; equal to the lower one: fixed", Uniform, 0, 1},
        mix.lambda_high);
  visit({"mix.probability", "that a batch, row or pair is mixed", Mixes, 0, 1}, mix.probability);
  visit({"mix.probability_scope", "what that probability is drawn for", MixesByChance},
        mix.probability_scope);
  visit({"mix.share", "of the rows that is mixed, others stay; drawn each step", Mixes, 0, 1},
        mix.share);
  visit({"mix.mode", "labelled rows x, unlabelled y: which are mixed with which", MixesGroups},
        mix.mode);
  visit({"mix.targets", "mixed as the pixels, or the row's own", Mixes}, mix.targets);
  visit({"mix.label_smoothing", "s: one-hot labels become 1 - s + s/C and s/C", Drawn, 0, 1},
        mix.label_smoothing);
  visit({"mix.sources", "images that a row is mixed of", Mixes, 2, kMaxSources}, mix.sources);
  visit({"mix.half", "only the first half of the rows is sent", PairsRows}, mix.half);
  visit({"mix.layers", "layers of which one is mixed a step; 0: the input; none: the input", TwoWay,
         0, kMaxLayer},
        mix.layers);
  visit({"mix.partner.source", "a row of the batch, or an image of a pool", Mixes},
        mix.partner.source);
  visit({"mix.partner.classes", "any, the row's own class, or any other", TwoWay},
        mix.partner.classes);
  visit({"mix.partner.neighbours", "k: among the k nearest images; 0: among all", Mixes, 0,
         kMaxNeighbours},
        mix.partner.neighbours);
  visit({"mix.partner.features", "model whose features measure distance; empty: pixels",
         HasNeighbours},
        mix.partner.features);
  VisitCutMix(mix, visit);
}

}  // namespace recipe_fields

// Calls visit(RecipeField, value&) for every field of `recipe` but the preset's name, in the order
// of the canonical text; values are const where the recipe is. Their types: bool, int, double,
// std::string, enums that NamesOf knows, std::vector<int>, std::array<int, 3>.
//
// How to add a field: a member in recipe.h whose default leaves recipes as they were, a line here
// and in proto/mixfeed/v1/spec.proto under the same path, and what it does in plan/ or render/.
// Validation of its range, feed ids, the wire and `mixfeed recipes` follow from the line.
template <typename RecipeLike, typename Visitor>
void VisitFields(RecipeLike& recipe, Visitor&& visit) {
  using namespace recipe_fields;  // NOLINT(google-build-using-namespace): its own parts
  visit({"rows", "what a batch's rows are", Always, 0, 0, false}, recipe.rows);
  visit({"ordered_pool", "the pool that an ordered pass goes through", Ordered, 0, 0, false},
        recipe.ordered_pool);
  VisitView(recipe.view, visit);
  visit({"labelled_sampling", "how labelled images are chosen", Drawn, 0, 0, false},
        recipe.labelled_sampling);
  visit({"views", "K, views of every unlabelled image", Guesses, 1, kMaxViews, false},
        recipe.views);
  visit({"unlabelled_ratio", "unlabelled images for each labelled one", Guesses, 1,
         kMaxUnlabelledRatio},
        recipe.unlabelled_ratio);
  visit({"unlabelled_sampling", "how unlabelled images are chosen", Guesses, 0, 0, false},
        recipe.unlabelled_sampling);
  visit({"guess.model",
         "the guess model's name, or several: their mean; empty: the server's only one", Guesses, 0,
         0, false},
        recipe.guess.model);
  visit({"guess.temperature", "T of sharpening p^(1/T); 1: none", Guesses, kMinTemperature,
         kMaxTemperature, false},
        recipe.guess.temperature);
  visit({"guess.batch_statistics", "guess with the step's own batch statistics", Guesses, 0, 0,
         false},
        recipe.guess.batch_statistics);
  visit({"guess.policy", "which of the trainer's pushed weights guess a step", Guesses},
        recipe.guess.policy);
  visit({"guess.delay", "updates by which the weights are older than the step", Delayed, 1,
         kMaxDelay},
        recipe.guess.delay);
  visit({"guess.version", "the one version that guesses", Pinned, 0, kMaxVersion},
        recipe.guess.version);
  visit({"guess.ema", "guess with the moving average of the pushed weights", Guesses},
        recipe.guess.ema);
  visit({"guess.batches_per_update", "steps that the trainer takes for one update", Guesses, 1,
         kMaxBatchesPerUpdate},
        recipe.guess.batches_per_update);
  VisitMix(recipe.mix, visit);
  visit({"interleave", "send rows in MixMatch's interleaved order", Guesses}, recipe.interleave);
  visit({"weight.value", "lambda_u of the header, at the end of its ramp", Guesses, 0, kNoLimit},
        recipe.weight.value);
  visit({"weight.ramp", "what the ramp counts: labelled images or steps; none: no ramp", Guesses},
        recipe.weight.ramp);
  visit({"weight.ramp_length", "images or steps until lambda_u is reached", Ramps, 1, kNoLimit},
        recipe.weight.ramp_length);
}

// A field's value as text, with one spelling for equal values: doubles round-trip exactly, lists
// are separated by blanks.
std::string FieldText(bool value);
std::string FieldText(int value);
std::string FieldText(double value);
std::string FieldText(const std::string& value);
std::string FieldText(const std::vector<int>& value);
std::string FieldText(const std::array<int, 3>& value);
template <typename Enum>
requires std::is_enum_v<Enum> std::string FieldText(Enum value) { return NameOf(value); }

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_FIELDS_H_
