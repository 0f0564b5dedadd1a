#include "augment/recipe/recipe.h"

#include <set>
#include <tuple>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/fields.h"

namespace mixfeed {
namespace {

auto WithoutPreset(const Recipe& r) {
  return std::tie(r.rows, r.ordered_pool, r.views, r.unlabelled_ratio, r.view, r.labelled_sampling,
                  r.unlabelled_sampling, r.guess, r.mix, r.interleave, r.weight);
}

// Checks each field by itself: numbers have their range, enums are enumerators. Keeps the first
// error.
class FieldChecker {
 public:
  void operator()(const RecipeField&, bool) {}
  void operator()(const RecipeField&, const std::string&) {}
  void operator()(const RecipeField& field, int value) {
    Keep(CheckRange(Name(field), value, static_cast<int>(field.low), static_cast<int>(field.high)));
  }
  void operator()(const RecipeField& field, double value) {
    Keep(CheckRange(Name(field), value, field.low, field.high));
  }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void operator()(const RecipeField& field, Enum value) { Keep(CheckEnum(Name(field), value)); }
  template <typename List>
  requires std::is_same_v<typename List::value_type, int>
  void operator()(const RecipeField& field, const List& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      Keep(CheckRange(absl::StrCat(Name(field), "[", i, "]"), values[i],
                      static_cast<int>(field.low), static_cast<int>(field.high)));
    }
  }

  const absl::Status& status() const { return status_; }

 private:
  static std::string Name(const RecipeField& field) { return absl::StrCat("recipe.", field.path); }
  void Keep(const absl::Status& status) { status_.Update(status); }

  absl::Status status_;
};

// One thing that fields must not be together: `broken` says whether they are.
struct Rule {
  bool broken;
  const char* field;  // below "recipe."
  std::string given;
  const char* allowed;
};

absl::Status CheckRules(std::initializer_list<Rule> rules) {
  for (const Rule& rule : rules) {
    if (rule.broken) {
      return FieldError(absl::StrCat("recipe.", rule.field), rule.given, rule.allowed);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRows(const Recipe& r) {
  const bool with_replacement =
      r.labelled_sampling == Sampling::kWithReplacement ||
      (r.guesses() && r.unlabelled_sampling == Sampling::kWithReplacement);
  return CheckRules({
      {!r.guesses() && r.views != 1, "views", FieldText(r.views),
       "1 when a recipe has no unlabelled rows"},
      {!r.guesses() && r.unlabelled_ratio != 1, "unlabelled_ratio", FieldText(r.unlabelled_ratio),
       "1 when a recipe has no unlabelled rows"},
      {r.interleave && !r.guesses(), "interleave", "true",
       "false when a recipe has no unlabelled rows"},
      {r.interleave && r.unlabelled_ratio != 1, "interleave", "true",
       "false when recipe.unlabelled_ratio is not 1"},
      {r.view.flip_rule == FlipRule::kAlternating && with_replacement, "view.flip_rule",
       "alternating", "random when samples are drawn with_replacement, which has no epochs"},
      {r.view.crop_range == CropRange::kWithoutLast && r.view.pad == 0, "view.crop_range",
       "without_last", "all when recipe.view.pad is 0"},
  });
}

// An ordered pass is for evaluation: what comes out must be the pool's own images.
absl::Status CheckOrdered(const Recipe& r) {
  constexpr char kZero[] = "0 when recipe.rows is ordered";
  return CheckRules({
      {r.mix.enabled, "mix.enabled", "true", "false when recipe.rows is ordered"},
      {r.mix.label_smoothing != 0, "mix.label_smoothing", absl::StrCat(r.mix.label_smoothing),
       kZero},
      {r.view.flip_probability != 0, "view.flip_probability", absl::StrCat(r.view.flip_probability),
       kZero},
      {r.view.flip_rule != FlipRule::kRandom, "view.flip_rule", FieldText(r.view.flip_rule),
       "random when recipe.rows is ordered"},
      {r.view.pad != 0, "view.pad", absl::StrCat(r.view.pad), kZero},
      {r.view.warp.max_rotation != 0, "view.warp.max_rotation",
       absl::StrCat(r.view.warp.max_rotation), kZero},
      {r.view.warp.max_zoom != 1, "view.warp.max_zoom", absl::StrCat(r.view.warp.max_zoom),
       "1 when recipe.rows is ordered"},
      {r.view.warp.max_perspective != 0, "view.warp.max_perspective",
       absl::StrCat(r.view.warp.max_perspective), kZero},
      {r.view.warp.max_lighting != 0, "view.warp.max_lighting",
       absl::StrCat(r.view.warp.max_lighting), kZero},
      {r.view.cutout.size != 0, "view.cutout.size", absl::StrCat(r.view.cutout.size), kZero},
  });
}

absl::Status CheckDraws(const Recipe& r) {
  const MixSpec& mix = r.mix;
  const bool pairs = mix.pairing == Pairing::kReversed &&
                     mix.partner.source == PartnerSource::kBatch && !r.guesses();
  constexpr char kNeedsPairs[] =
      "per_row or per_batch unless labelled rows of a batch are paired by recipe.mix.pairing "
      "reversed";
  return CheckRules({
      {mix.lambda_low > mix.lambda_high, "mix.lambda_low", absl::StrCat(mix.lambda_low),
       "at most recipe.mix.lambda_high"},
      {mix.lambda_scope == DrawScope::kPerPair && !pairs, "mix.lambda_scope", "per_pair",
       kNeedsPairs},
      {mix.probability_scope == DrawScope::kPerPair && !pairs, "mix.probability_scope", "per_pair",
       kNeedsPairs},
      {mix.half && r.rows != RowSource::kLabelled, "mix.half", "true",
       "false unless recipe.rows is labelled"},
      {mix.half && mix.pairing != Pairing::kReversed && mix.pairing != Pairing::kHalves, "mix.half",
       "true", "false unless recipe.mix.pairing is reversed or halves"},
      {mix.half && mix.partner.source != PartnerSource::kBatch, "mix.half", "true",
       "false when partners are of a pool"},
      {mix.mode != MixMode::kXxyYxy && !r.guesses(), "mix.mode", FieldText(mix.mode),
       "xxy.yxy when a recipe has no unlabelled rows"},
      {mix.mode == MixMode::kXxYx && r.unlabelled_ratio != 1, "mix.mode", "xx.yx",
       "any other when recipe.unlabelled_ratio is not 1"},
      {mix.cutmix.min_side > mix.cutmix.max_side, "mix.cutmix.min_side",
       absl::StrCat(mix.cutmix.min_side), "at most recipe.mix.cutmix.max_side"},
  });
}

absl::Status CheckPartner(const Recipe& r) {
  const PartnerSpec& partner = r.mix.partner;
  const bool pool = partner.source != PartnerSource::kBatch;
  const bool by_class = partner.classes != PartnerClass::kAny;
  constexpr char kLabelledOnly[] = "batch unless recipe.rows is labelled";
  constexpr char kAnyClass[] = "any when the labels of rows or partners are hidden";
  return CheckRules({
      {pool && r.rows != RowSource::kLabelled, "mix.partner.source", FieldText(partner.source),
       kLabelledOnly},
      {partner.source == PartnerSource::kUnlabelledPool && r.mix.targets != TargetRule::kOwn,
       "mix.targets", FieldText(r.mix.targets), "own when partners are unlabelled"},
      {by_class &&
           (r.rows != RowSource::kLabelled || partner.source == PartnerSource::kUnlabelledPool),
       "mix.partner.classes", FieldText(partner.classes), kAnyClass},
      {by_class && !pool && r.mix.pairing != Pairing::kPermutation, "mix.partner.classes",
       FieldText(partner.classes), "any unless recipe.mix.pairing is permutation"},
      {partner.neighbours > 0 && partner.source != PartnerSource::kLabelledPool,
       "mix.partner.neighbours", FieldText(partner.neighbours),
       "0 unless recipe.mix.partner.source is labelled_pool"},
      {!partner.features.empty() && partner.neighbours == 0, "mix.partner.features",
       absl::StrCat("\"", partner.features, "\""), "empty when recipe.mix.partner.neighbours is 0"},
  });
}

absl::Status CheckMultiWay(const Recipe& r) {
  const MixSpec& mix = r.mix;
  if (mix.sources == 2) return absl::OkStatus();
  constexpr char kOfTwo[] = "2 unless blends of the batch's rows are drawn from a Dirichlet law";
  const std::string sources = FieldText(mix.sources);
  return CheckRules({
      {mix.cutmix.probability > 0, "mix.cutmix.probability", absl::StrCat(mix.cutmix.probability),
       "0 when recipe.mix.sources is more than 2"},
      {mix.lambda_floor, "mix.lambda_floor", "true",
       "false when recipe.mix.sources is more than 2"},
      {mix.lambda_law != LambdaLaw::kBeta, "mix.lambda_law", FieldText(mix.lambda_law),
       "beta when recipe.mix.sources is more than 2"},
      {mix.pairing != Pairing::kPermutation, "mix.sources", sources, kOfTwo},
      {mix.lambda_scope == DrawScope::kPerPair, "mix.sources", sources, kOfTwo},
      {mix.partner.source != PartnerSource::kBatch || mix.partner.classes != PartnerClass::kAny,
       "mix.sources", sources, kOfTwo},
      {!mix.layers.empty(), "mix.sources", sources, "2 when recipe.mix.layers are drawn from"},
  });
}

absl::Status CheckLayers(const Recipe& r) {
  const std::vector<int>& layers = r.mix.layers;
  const bool repeated = std::set<int>(layers.begin(), layers.end()).size() != layers.size();
  const bool hidden = layers.size() > 1 || (layers.size() == 1 && layers.front() != 0);
  const std::string given = FieldText(layers);
  return CheckRules({
      {layers.size() > kMaxLayers, "mix.layers", absl::StrCat(layers.size(), " layers"),
       "at most 16"},
      {repeated, "mix.layers", given, "different layers"},
      {hidden && r.mix.cutmix.probability > 0, "mix.layers", given,
       "the input alone when recipe.mix.cutmix.probability is not 0"},
      {hidden && (r.mix.half || r.draws_partners()), "mix.layers", given,
       "the input alone when a row's partner is not sent with it"},
      {hidden && (r.mix.lambda_scope == DrawScope::kPerPair ||
                  r.mix.probability_scope == DrawScope::kPerPair),
       "mix.layers", given, "the input alone when draws are per_pair, since pairs may be apart"},
  });
}

// Names as models are registered under (ModelService.RegisterModel).
absl::Status CheckModels(const GuessSpec& guess) {
  constexpr char kNameCharacters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const std::vector<std::string> names = guess.models();
  bool sound = names.size() <= kMaxGuessModels &&
               std::set<std::string>(names.begin(), names.end()).size() == names.size();
  for (const std::string& name : names) {
    sound &= !name.empty() && name.find_first_not_of(kNameCharacters) == name.npos;
  }
  if (sound) return absl::OkStatus();
  return FieldError("recipe.guess.model", absl::StrCat("\"", absl::CEscape(guess.model), "\""),
                    absl::StrCat("a model's name, or up to ", kMaxGuessModels,
                                 " different ones separated by commas, of [A-Za-z0-9._-] each"));
}

}  // namespace

std::vector<std::string> GuessSpec::models() const {
  if (model.empty()) return {};
  return absl::StrSplit(model, ',');
}

bool operator==(const Recipe& a, const Recipe& b) { return WithoutPreset(a) == WithoutPreset(b); }

absl::Status ValidateRecipe(const Recipe& recipe) {
  FieldChecker checker;
  VisitFields(recipe, checker);
  MIXFEED_RETURN_IF_ERROR(checker.status());
  MIXFEED_RETURN_IF_ERROR(CheckModels(recipe.guess));
  MIXFEED_RETURN_IF_ERROR(CheckRows(recipe));
  if (recipe.rows == RowSource::kOrdered) return CheckOrdered(recipe);
  if (!recipe.mix.enabled) return absl::OkStatus();
  MIXFEED_RETURN_IF_ERROR(CheckDraws(recipe));
  MIXFEED_RETURN_IF_ERROR(CheckPartner(recipe));
  MIXFEED_RETURN_IF_ERROR(CheckMultiWay(recipe));
  return CheckLayers(recipe);
}

}  // namespace mixfeed
